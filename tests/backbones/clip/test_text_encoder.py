"""The tokenizer gives the published ids, and the text tower is the published one."""

import random
import unicodedata

import pytest
import torch
from tests.backbones.tiny_clip import tiny_state
from torch import nn

from weclip.backbones.clip.text_encoder import ClipTextEncoder, build_text_encoder, tokenize
from weclip.backbones.clip.tokenizer import END, START, clean, clip_tokenizer, count_tokens

VOCABULARY = """
a an the clean origami photo of person's dog cat aeroplane bicycle bird boat bottle bus car
diningtable potted plant sofa tvmonitor don't I'LL we're they've you'd it's 'twas rock'n'roll
naïve café façade Straße ẞ İstanbul ıĞ ΣΑΣ ΟΔΥΣΣΕΥΣ σς Ǆ ǅ ﬁne ﬀ ſ Ω Å é Привет мир 你好 世界 日本語
カタカナ 한국어 שלום مرحبا हिन्दी ไทย ქართული Ᏸ ⅷ Ⅷ ² ½ ٣ 12345 3.14 1e-7 #tag @you
http://a.b/?c=d&e=f &amp; &lt;p&gt; <|startoftext|> <|endoftext|> </w> Ġ Â -- ... _under_score_
👍 👩‍👩‍👧 🏳️‍🌈 ❤️ 🇨🇭 ‘quoted’ “double” – — ’s
"""
WORDS = VOCABULARY.split()
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\x0b", "\x0c", "\u00a0", "\u2003", "\u3000", "\u2028", ""]
SCRIPTS = [
    (0x20, 0x7F),
    (0xA0, 0x250),
    (0x300, 0x370),  # accents that compose
    (0x370, 0x530),
    (0x590, 0x700),
    (0x900, 0xE00),
    (0x1100, 0x1200),
    (0x1E00, 0x2000),
    (0x2000, 0x2C00),
    (0x3040, 0xA000),
    (0xAC00, 0xD7A4),
    (0x1F300, 0x1FA00),
    (0x0, 0x20),  # control characters
]


def assigned(start, stop):
    """Characters of a range, less those that Unicode had not assigned when Python was built."""
    return [chr(c) for c in range(start, stop) if unicodedata.category(chr(c)) not in ("Cn", "Cs")]


def odd_strings(count, seed):
    """Words and characters of every kind, alone and mixed."""
    draw = random.Random(seed)
    alphabets = [assigned(*script) for script in SCRIPTS]
    everything = assigned(0, 0x110000)
    for _ in range(count):
        kind = draw.randrange(4)
        if kind == 0:
            yield "".join(
                draw.choice((str.upper, str.lower, str.title, str))(draw.choice(WORDS))
                + draw.choice(SPACES)
                for _ in range(draw.randrange(1, 12))
            )
        elif kind == 1:
            yield "".join(draw.choices(draw.choice(alphabets), k=draw.randrange(1, 20)))
        elif kind == 2:
            yield "".join(draw.choice(draw.choice(alphabets)) for _ in range(draw.randrange(1, 30)))
        else:
            yield "".join(draw.choices(everything, k=draw.randrange(1, 20)))


@pytest.fixture(scope="module")
def oracle():
    """The published ids; it lowers the case but does not compose characters."""
    module = pytest.importorskip(
        "instant_clip_tokenizer", reason="instant-clip-tokenizer (extra dev) is not installed"
    )
    return module.Tokenizer()


def published_ids(oracle, text):
    # published CLIP composes first (NFC, by ftfy)
    return list(oracle.encode(unicodedata.normalize("NFC", text)))


def test_ids_equal_the_oracle_on_odd_strings(oracle):
    texts = list(odd_strings(12_000, seed=0))
    assert len(set(texts)) > 10_000
    encodings = clip_tokenizer().encode_batch([clean(text) for text in texts])
    for text, encoding in zip(texts, encodings, strict=True):
        assert encoding.ids == published_ids(oracle, text), repr(text)


def test_ids_equal_the_oracle_without_composing_first(oracle):
    texts = [t for t in odd_strings(4_000, seed=1) if unicodedata.is_normalized("NFC", t)]
    assert len(texts) > 1_000
    for text, encoding in zip(
        texts, clip_tokenizer().encode_batch([clean(text) for text in texts]), strict=True
    ):
        assert encoding.ids == list(oracle.encode(text)), repr(text)


@pytest.mark.parametrize("word", WORDS)
def test_every_word_alone_and_in_capitals(oracle, word):
    for text in (word, word.upper(), f"a clean origami {word}."):
        assert clip_tokenizer().encode(clean(text)).ids == published_ids(oracle, text)


def test_rows_equal_the_oracle_long_texts_too(oracle):
    texts = [unicodedata.normalize("NFC", text) for text in odd_strings(500, seed=2)]
    texts += ["", " ", "dog " * 75, "dog " * 76, "dog " * 5_000, "x" * 3_000, "🏳️‍🌈" * 200]
    rows = torch.from_numpy(oracle.tokenize_batch(texts, context_length=77).astype("int64"))
    assert torch.equal(tokenize(texts), rows)


def test_tokens_are_counted_with_start_and_end():
    for text, count in (("a clean origami dog.", 7), ("", 2), ("dog " * 100, 102)):
        assert count_tokens(text) == count
    assert count_tokens("a clean origami dog.") == int(
        (tokenize(["a clean origami dog."]) > 0).sum()
    )


def test_vocabulary_size():
    assert clip_tokenizer().get_vocab_size() == START == END - 1


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("A  Clean\n\torigami", "a clean origami"),
        ("cafe\u0301", "caf\u00e9"),
        ("ΣΑΣ", "σας"),  # a final sigma, unlike the lower case of `tokenizers`
    ],
)
def test_texts_with_the_same_ids(text, same_as):
    assert torch.equal(tokenize([text]), tokenize([same_as]))


def test_entities_are_not_decoded():
    assert not torch.equal(tokenize(["&amp;"]), tokenize(["&"]))


def test_rows_start_end_and_are_padded():
    rows = tokenize(["a clean origami dog.", "dog " * 100], context=12)
    assert rows.shape == (2, 12)
    assert rows.dtype == torch.int64
    assert rows[0].tolist() == [START, 320, 3772, 31832, 1929, 269, END, 0, 0, 0, 0, 0]
    assert rows[1].tolist() == [START, *[1929] * 10, END]


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return ClipTextEncoder(width=64, blocks=2, vocabulary=49408, context=77, joint_size=16)


def test_features_have_unit_length(encoder):
    features = encoder.encode(["a dog", "a clean origami cat", ""])
    assert features.shape == (3, 16)
    assert torch.allclose(features.norm(dim=-1), torch.ones(3))
    assert not features.requires_grad


def test_cutting_the_padding_changes_nothing(encoder):
    prompts = ["a dog", "a clean origami cat."]
    assert torch.allclose(encoder.encode(prompts), encoder(tokenize(prompts)), atol=1e-6)


def test_prompts_do_not_see_each_other(encoder):
    together = encoder.encode(["a dog", "a clean origami potted plant, large"])
    assert torch.allclose(together[:1], encoder.encode(["a dog"]), atol=1e-6)


def test_tower_against_torch_transformer():
    """Literal restatement with `torch.nn.MultiheadAttention` and a causal mask."""
    state = {name: value.float() for name, value in tiny_state().items()}
    ids = torch.tensor([[1, 7, 9, 49, 0], [1, 49, 0, 0, 0]])
    x = state["token_embedding.weight"][ids] + state["positional_embedding"][:5]
    causal = nn.Transformer.generate_square_subsequent_mask(5)
    for index in range(2):
        block = {
            name.removeprefix(f"transformer.resblocks.{index}."): value
            for name, value in state.items()
            if name.startswith(f"transformer.resblocks.{index}.")
        }
        attention = nn.MultiheadAttention(16, 1, batch_first=True)
        attention.load_state_dict(
            {k.removeprefix("attn."): v for k, v in block.items() if k.startswith("attn.")}
        )
        y = nn.functional.layer_norm(x, (16,), block["ln_1.weight"], block["ln_1.bias"])
        x = x + attention(y, y, y, attn_mask=causal, need_weights=False)[0]
        y = nn.functional.layer_norm(x, (16,), block["ln_2.weight"], block["ln_2.bias"])
        y = y @ block["mlp.c_fc.weight"].T + block["mlp.c_fc.bias"]
        y = y * torch.sigmoid(1.702 * y)
        x = x + y @ block["mlp.c_proj.weight"].T + block["mlp.c_proj.bias"]
    x = nn.functional.layer_norm(x, (16,), state["ln_final.weight"], state["ln_final.bias"])
    ends = torch.stack([x[0, 3], x[1, 1]]) @ state["text_projection"]
    expected = ends / ends.norm(dim=-1, keepdim=True)
    assert torch.allclose(build_text_encoder(state)(ids), expected, atol=1e-5)


def test_frozen(encoder):
    encoder.train()
    assert not any(module.training for module in encoder.modules())
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
