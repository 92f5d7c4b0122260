#!/usr/bin/env bash
# Stand-ins for the two images that the Dockerfile begins with, from Debian's packages and the Rust toolchain that is
# here, under the same tags: for a machine that reaches a Debian mirror but no registry of images, so that verify.sh can
# build there. They hold what the real ones hold as far as the Dockerfile asks for it, and are nothing to ship.
set -euo pipefail
cd "$(dirname "$0")/.."

RELEASE=trixie
DEBIAN=${DEBIAN:-http://deb.debian.org/debian}
DEBIAN_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

usage() {
  cat <<'USAGE'
usage: docker/stand-ins.sh [--help]
Needs root, debootstrap, rustup with the toolchain of rust-toolchain.toml, and a Docker engine.
A tag that is there stays.
environment: DEBIAN is the mirror (http://deb.debian.org/debian), DOCKER_HOST the engine
exit codes: 0 done, 1 failed, 2 wrong usage
USAGE
}

case ${1:-} in
  "") ;;
  --help) usage; exit ;;
  *) usage >&2; exit 2 ;;
esac
for needed in debootstrap rustup docker; do
  command -v $needed >/dev/null || { echo "stand-ins.sh: $needed is needed: install it" >&2; exit 1; }
done

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

argument() { sed -n "s/^ARG $1=//p" docker/Dockerfile; }
is_there() { docker image inspect "$1" >/dev/null 2>&1; }

# image FOLDER TAG INSTRUCTION…
image() {
  local folder=$1 tag=$2 change=()
  for instruction in "${@:3}"; do change+=(--change "$instruction"); done
  tar --create --directory "$folder" . | docker import "${change[@]}" - "$tag" >/dev/null
}

# Debian with gcc, Cargo where the real image has it, and the roots that this machine trusts: a proxy may stand between
# it and the registries of crates.
rust() {
  local tag=$1 root=$WORK/rust toolchain
  toolchain=$(rustc --print sysroot)
  debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev $RELEASE "$root" "$DEBIAN" >"$WORK/log" ||
    { tail -5 "$WORK/log" >&2; exit 1; }
  if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/"
    chroot "$root" update-ca-certificates >/dev/null 2>&1
  fi
  mkdir -p "$root/usr/local/cargo/bin"
  cp --recursive "$toolchain/bin" "$toolchain/lib" "$toolchain/libexec" "$root/usr/local/"
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/usr/local/bin/{rust-gdb*,rust-lldb,*clippy*,*fmt*,*miri*}
  image "$root" "$tag" "ENV PATH=/usr/local/cargo/bin:$DEBIAN_PATH" "ENV CARGO_HOME=/usr/local/cargo"
}

# The packages of Distroless' cc image, unpacked: no shell, no package manager.
runtime() {
  local tag=$1 root=$WORK/runtime
  debootstrap --download-only --variant=minbase --include=ca-certificates,tzdata,netbase \
    $RELEASE "$WORK/packages" "$DEBIAN" >"$WORK/log" || { tail -5 "$WORK/log" >&2; exit 1; }
  mkdir "$root"
  mkdir -p "$root/usr"/{bin,lib,lib64,sbin}
  ln -s usr/bin usr/lib usr/lib64 usr/sbin "$root/"
  for package in base-files netbase tzdata libc6 libgcc-s1 libstdc++6 libgomp1 libssl3t64 ca-certificates; do
    for file in "$WORK/packages/var/cache/apt/archives/${package}"_*.deb; do
      [[ ! -f $file ]] || dpkg-deb --fsys-tarfile "$file" | tar --extract --directory "$root" --keep-directory-symlink
    done
  done
  cat "$root"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
  rm -rf "$root"/usr/share/{doc,man,locale,lintian,ca-certificates}
  echo nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin >"$root/etc/passwd"
  mkdir -p "$root/home/nonroot" "$root/tmp"
  chmod 1777 "$root/tmp"
  image "$root" "$tag" "ENV PATH=$DEBIAN_PATH" "USER 65532" "WORKDIR /home/nonroot"
}

for stand_in in "rust rust:$(argument RUST_VERSION)-slim-$RELEASE" "runtime $(argument RUNTIME)"; do
  read -r make tag <<<"$stand_in"
  if is_there "$tag"; then
    echo "$tag is there"
  else
    "$make" "$tag"
    echo "$tag made, $(($(docker image inspect --format '{{.Size}}' "$tag") / 1024 / 1024)) MiB"
  fi
done
