# ongen with every tool: both compilers, the emulators, the flashing programs.
#   docker build -t ongen .
#   docker run --rm -v "$PWD":/work ongen build --task fan/06/6dB --board stm32f746
# The steps are the scripts that the project's own CI runs; the image itself and Renode's download have not
# been tried where this file was written (no Docker engine, no network): see docs/container.md.

FROM debian:12-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
COPY . /opt/ongen
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir '/opt/ongen[zig,unicorn,board,search]'

FROM debian:12-slim
COPY .ci/install-tools .ci/install-renode /opt/
RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 openocd stlink-tools \
    && /opt/install-tools \
    && /opt/install-renode \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/venv /opt/venv
RUN useradd --create-home ongen
USER ongen
ENV PATH="/opt/venv/bin:$PATH"
WORKDIR /work
ENTRYPOINT ["ongen"]
