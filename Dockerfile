# Not run: nobody has built this image yet.
#
# Build:  docker build -t weclip .
# Use:    docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" weclip predict photos --model runs/photos --out runs/masks
#
# PyTorch: by default pip takes PyTorch's own default build, on Linux the one for NVIDIA GPUs, which is large. For a build without
# GPU, take the address behind --index-url in the line that the install selector on PyTorch's web site shows for "CPU":
#         docker build -t weclip --build-arg TORCH_INDEX=ADDRESS .
# With GPUs:  docker run --gpus all ...  (the host needs NVIDIA's container toolkit).
FROM python:3.12-slim

ARG TORCH_INDEX=""
ARG EXTRAS="all"

# A compiler, for the extra crf, which is built from source.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ \
    && rm -rf /var/lib/apt/lists/*

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /src
COPY constraints.txt ./
RUN if [ -n "$TORCH_INDEX" ]; then python -m pip install -c constraints.txt --index-url "$TORCH_INDEX" torch; \
    else python -m pip install -c constraints.txt torch; fi
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
RUN python -m pip install -c constraints.txt ".[$EXTRAS]"

# A user without rights. Nothing but the mounted folder need be writable (docs/runs.md).
RUN useradd --create-home weclip
USER weclip
WORKDIR /data

ENTRYPOINT ["weclip"]
CMD ["--help"]
