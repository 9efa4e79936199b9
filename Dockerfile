# ongen with both compilers and both emulators:
#   docker build -t ongen . && docker run --rm -v "$PWD":/work ongen build --task fan/06/6dB --board stm32f746
FROM debian:12-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*

COPY .ci/install-tools /opt/install-tools
RUN /opt/install-tools && rm -rf /var/lib/apt/lists/*

COPY . /opt/ongen
RUN python3 -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir '/opt/ongen[zig,unicorn]'

RUN useradd --create-home ongen
USER ongen
ENV PATH="/opt/venv/bin:$PATH"
WORKDIR /work
ENTRYPOINT ["ongen"]
