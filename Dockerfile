# hero in a container, of the Debian package that `make release` leaves in dist:
#
#   docker build -t hero .
#   docker run --rm -v "$PWD:/data" hero index --videos clips --clip ViT-B-32 --output clips.index
#
# For arm64, whose package needs a newer glibc: --build-arg DEBIAN=trixie --platform linux/arm64
ARG DEBIAN=bookworm
FROM debian:${DEBIAN}-slim
ARG TARGETARCH=amd64
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
COPY dist/hero_*_${TARGETARCH}.deb /opt/hero.deb
# What the package recommends is FFmpeg. It is Debian's, with its repairs: no version is pinned.
# hadolint ignore=DL3008
RUN apt-get update && \
    apt-get install --yes --no-install-recommends /opt/hero.deb ffmpeg && \
    rm -rf /var/lib/apt/lists/* /opt/hero.deb && \
    useradd --create-home --uid 1000 hero && \
    install --directory --owner=hero --group=hero /data
USER 1000:1000
WORKDIR /data
VOLUME /data
ENTRYPOINT ["hero"]
CMD ["--help"]
