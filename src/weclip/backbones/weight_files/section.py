"""Keys of a configuration: read, ignored since they change nothing, or refused by name.

Stage 2. A configuration may ask for a computation that is not ours. Every key is therefore known
here: as one that is read, one that changes nothing, or one whose value must mean what is computed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from weclip.backbones.transformer import ACTIVATIONS
from weclip.system.errors import InputError
from weclip.system.untrusted.text import short

OWN = "put the weights' own configuration beside them"

GENERIC = (
    "_name_or_path _commit_hash _attn_implementation_autoset _attn_implementation_internal "
    "_experts_implementation_internal _output_attentions add_cross_attention architectures "
    "attention_dropout attn_implementation bad_words_ids begin_suppress_tokens bos_token_id "
    "chunk_size_feed_forward cross_attention_hidden_size decoder_start_token_id diversity_penalty "
    "do_sample dropout dtype early_stopping encoder_no_repeat_ngram_size "
    "exponential_decay_length_penalty finetuning_task forced_bos_token_id forced_eos_token_id "
    "id2label initializer_factor initializer_range is_composition is_decoder is_encoder_decoder "
    "label2id length_penalty logit_scale_init_value max_length min_length no_repeat_ngram_size "
    "num_beam_groups num_beams num_return_sequences output_attentions output_hidden_states "
    "output_scores pad_token_id prefix problem_type remove_invalid_values repetition_penalty "
    "return_dict return_dict_in_generate return_loss sep_token_id suppress_tokens "
    "task_specific_params temperature tf_legacy_loss tie_encoder_decoder tie_word_embeddings "
    "tokenizer_class top_k top_p torch_dtype torchscript transformers_version typical_p "
    "use_bfloat16 use_cache"
).split()
"""Keys that Transformers writes into every configuration and that change no frozen feature."""


@dataclass(frozen=True)
class Section:
    """One object of a configuration file.

    Attributes:
        file: The file, for messages.
        name: Its place in the file, with a dot at the end; empty for the whole.
        content: Keys and values.
        way_out: What to do where something else is asked for than is computed.
    """

    file: Path
    name: str
    content: Mapping[str, Any]
    way_out: str

    def inner(self, key: str) -> "Section":
        """The object under a key, empty where it is null or not there."""
        value = self.content.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.error(key, "is no object; download the file again")
        return replace(self, name=f"{self.name}{key}.", content=value or {})

    def error(self, key: str, fault: str) -> InputError:
        """What is wrong with a key."""
        value = short(self.content.get(key))
        return InputError(f"{self.file}: {self.name}{key} is {value}: {fault}")

    def require(
        self,
        *,
        read: Collection[str],
        computed: Mapping[str, tuple[object, ...]],
        ignored: Collection[str],
    ) -> None:
        """Refuse every key that asks for something else.

        Args:
            read: Keys that are looked at one by one.
            computed: Keys with the values that mean what is computed here.
            ignored: Keys that change nothing.

        Raises:
            InputError: Another value, or a key that is none of these and has a value.
        """
        for key, value in self.content.items():
            if key in read or key in ignored:
                continue
            if key in computed and value not in computed[key]:
                allowed = " or ".join(short(each) for each in computed[key])
                raise self.error(key, f"only {allowed} is computed here; {self.way_out}")
            if key not in computed and value is not None:
                raise self.error(key, f"this key is not understood here; {self.way_out}")

    def count(self, key: str, default: int | None = None) -> int:
        """A whole number over 0."""
        value = self.content.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
            raise self.error(key, f"no whole number over 0; {OWN}")
        return value

    def side(self, key: str, default: int) -> int:
        """A whole number over 0, or two equal ones."""
        value = self.content.get(key, default)
        if isinstance(value, list) and len(value) == 2 and value[0] == value[1]:
            return replace(self, content={key: value[0]}).count(key)
        return self.count(key, default)

    def number(self, key: str, default: float) -> float:
        """A number over 0."""
        value = self.content.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:
            raise self.error(key, f"no number over 0; {OWN}")
        return float(value)

    def activation(self, key: str, default: str) -> str:
        """The name of an activation that is computed here."""
        value = self.content.get(key, default)
        if not isinstance(value, str) or value not in ACTIVATIONS:
            raise self.error(
                key, f"only {' and '.join(ACTIVATIONS)} are computed here; {self.way_out}"
            )
        return value


def require_sizes(
    file: Path, sizes: Mapping[str, tuple[str, object]], measured: Mapping[str, object]
) -> None:
    """Compare the sizes in a configuration with those of the weights beside it.

    Args:
        file: The configuration.
        sizes: By name: the key in the file, and its value.
        measured: By the same names: what the weights have.

    Raises:
        InputError: The first that differs.
    """
    for name, (key, value) in sizes.items():
        if value != measured[name]:
            raise InputError(
                f"{file}: {key} is {short(value)} (a default where it is left out), but the "
                f"weights beside it have {measured[name]}; {OWN}"
            )
