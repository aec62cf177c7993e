#!/usr/bin/env bash
# build.sh: sets up, builds and runs samebits. `./build.sh help` lists what it does.
#
# It works from any folder, in an empty environment, and does nothing twice: packages are looked for by what they
# give (a command, a header, a pkg-config module), so a compiler that came another way is fine too.
set -euo pipefail

root="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)"
cd -- "$root"
PATH="${PATH:-/usr/bin:/bin}:/usr/sbin:/sbin" # dpkg needs the last two
export PATH
export LC_ALL="${LC_ALL:-C.UTF-8}"
build="out/build"

# Homebrew keeps two things out of the way of Apple's own: LLVM, whose clang has OpenMP, and libffi's module.
for kegs in /opt/homebrew/opt /usr/local/opt; do
  if [ "$(uname -s)" = Darwin ] && [ -d "$kegs/llvm/bin" ]; then
    export PATH="$kegs/llvm/bin:$PATH"
    export PKG_CONFIG_PATH="$kegs/libffi/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
  fi
done

say() { printf '%s\n' "$*"; }
die() {
  printf 'build.sh: error: %s\n' "$*" >&2
  exit 1
}

usage() {
  cat <<'TEXT'
usage: ./build.sh [command]

  (none)          install what is missing, build out/bin/samebits, run specs/rmsnorm.lua
  build           install what is missing and build out/bin/samebits
  test [NAME...]  every test, or those named; the last line counts them
  bench           the figures that the README states (out/bin/samebits bench --figures)
  asan            build with the address and undefined-behaviour sanitizers, and every test with it
  format          clang-format on every C file; `format --check` only says what it would change
  lint            clang-tidy on every C file; a warning is an error
  cross           every C file compiled for macOS and for aarch64, and the program linked as far as that goes from here;
                  needs Zig's compiler (pip install ziglang), else it is skipped
  packages        only install what is missing
  clean           remove out/
  help            this text

Environment: CC (the compiler of samebits itself, default clang), SAMEBITS_CLANG and SAMEBITS_GCC (compilers of kernels),
ZIG (the compiler of `cross`, default zig, else python3 -m ziglang).
`out/bin/samebits --help` lists the rest.
TEXT
}

# ---- packages ----

have() { command -v "$1" >/dev/null 2>&1; }
have_module() { have pkg-config && pkg-config --exists "$1"; }
have_openmp() {
  have clang && printf '#include <omp.h>\nint main(void){return omp_get_max_threads()==0;}\n' |
    clang -fopenmp -x c - -o /dev/null >/dev/null 2>&1
}
have_lua() { have_module lua5.4 || have_module lua-5.4 || have_module lua54; }

# Debian and Ubuntu names of what the given purposes (build, format, lint, bench) lack.
missing_packages() {
  local need=()
  have clang || need+=(clang)
  have_openmp || need+=(libomp-dev)
  have pkg-config || need+=(pkg-config)
  have_lua || need+=(liblua5.4-dev)
  have_module jansson || need+=(libjansson-dev)
  have_module nettle || need+=(nettle-dev)
  have_module mpfr || need+=(libmpfr-dev)
  have_module libffi || need+=(libffi-dev)
  have_module cmocka || need+=(libcmocka-dev)
  have python3 || need+=(python3)
  have meson || need+=(meson)
  have ninja || need+=(ninja-build)
  for purpose in "$@"; do
    case "$purpose" in
    format) have clang-format || need+=(clang-format) ;;
    lint) have clang-tidy || need+=(clang-tidy) ;;
    esac
  done
  say "${need[*]-}"
}

have_mpi() { have mpicc && { have mpirun || have mpiexec; }; }
# Of one library: what is missing beside an MPICH that is half there is MPICH's.
mpi_packages() {
  if mpirun --version 2>/dev/null | grep -q HYDRA || mpicc -show 2>/dev/null | grep -q mpich; then
    echo mpich libmpich-dev
  else
    echo openmpi-bin libopenmpi-dev
  fi
}

# What tests use and can do without: what needs them is skipped, with this as the reason.
install_optional() {
  local want=()
  have luac5.4 || want+=(lua5.4)
  have gcc || want+=(gcc)
  python3 -c 'import numpy' >/dev/null 2>&1 || want+=(python3-numpy)
  have_mpi || want+=($(mpi_packages))
  [ "${#want[@]}" -gt 0 ] || return 0
  if have apt-get && [ -n "$(as_root)" ]; then
    (apt_install "${want[@]}") || say "going on without: ${want[*]}"
  else
    say "going on without: ${want[*]} (sudo apt-get install ${want[*]})"
  fi
}

brew_packages="llvm libomp lua jansson nettle mpfr libffi cmocka meson ninja pkg-config"

as_root() {
  if [ "$(id -u)" = 0 ]; then
    echo env
  elif have sudo && sudo -n true 2>/dev/null; then
    echo "sudo -n env"
  fi
}

apt_install() {
  local runner
  runner="$(as_root)"
  [ -n "$runner" ] || die "these packages are missing: $*
Install them with this command, then run ./build.sh again:
  sudo apt-get update && sudo apt-get install -y $*"
  say "installing: $*"
  # Package lists may be missing or old (a fresh container): fetch them only when the first try fails.
  # shellcheck disable=SC2086 # the runner is one or more words
  $runner DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >/dev/null 2>&1 ||
    { $runner apt-get update >/dev/null &&
      $runner DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >/dev/null; } ||
    die "apt-get could not install: $*. Its message is above; when it names no cause, check the network."
}

install_packages() {
  local missing
  missing="$(missing_packages "$@")"
  [ -n "$missing" ] || return 0
  case "$(uname -s)" in
  Darwin)
    die "something of this is missing: $missing (Debian's names)
Install with this command, then run ./build.sh again:
  brew install $brew_packages"
    ;;
  esac
  have apt-get || die "these packages are missing (Debian's names): $missing
There is no apt-get here: install them with this system's package manager, then run ./build.sh again."
  # shellcheck disable=SC2086 # a list of names
  apt_install $missing
  missing="$(missing_packages "$@")"
  [ -z "$missing" ] || die "after installing, still missing: $missing. Is another version first in PATH ($PATH)?"
}

# ---- building ----

# configure FOLDER OPTION...: sets a build folder up once; a folder from another place or another compiler is made anew.
configure() {
  local folder="$1" origin
  shift
  origin="$root ${CC:-clang} $*"
  if [ ! -f "$folder/build.ninja" ] || [ "$(cat "$folder/origin" 2>/dev/null)" != "$origin" ]; then
    rm -rf -- "$folder"
    mkdir -p out
    CC="${CC:-clang}" meson setup "$folder" "$@" >out/setup.log 2>&1 ||
      { cat out/setup.log >&2 && die "meson setup failed (above, and in out/setup.log)"; }
    printf '%s\n' "$origin" >"$folder/origin"
  fi
}

# On a terminal ninja shows one moving line; elsewhere its output is kept for the case of a failure.
compile() {
  if [ -t 1 ]; then
    ninja -C "$1" || die "compiling failed (above)"
  else
    ninja -C "$1" >out/compile.log 2>&1 || { cat out/compile.log >&2 && die "compiling failed (above)"; }
  fi
}

build_tool() {
  configure "$build"
  compile "$build"
  mkdir -p out/bin
  place samebits
  [ ! -f "$build/runtime/peer/samebits-peer-onednn" ] || place runtime/peer/samebits-peer-onednn
  place runtime/runner/samebits-runner
}

# Through a new file: a running program keeps the old one.
place() {
  local name
  name="$(basename "$1")"
  if ! cmp -s "$build/$1" "out/bin/$name"; then
    cp "$build/$1" "out/bin/$name.new"
    mv "out/bin/$name.new" "out/bin/$name"
  fi
}

c_files() { find generator runtime tests -type f \( -name '*.c' -o -name '*.h' \) -print0 | sort -z; }

workers() { getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2; }

# ---- commands ----

command_all() {
  install_packages
  build_tool
  local status=0
  out/bin/samebits run specs/rmsnorm.lua || status=$?
  say ""
  say "samebits is at   out/bin/samebits"
  say "what it made is  out/rmsnorm/ (report.html is for people, verify.json and bench.json for programs)"
  say "next             out/bin/samebits --help, ./build.sh test, ./build.sh help"
  return "$status"
}

command_test() {
  install_packages
  install_optional
  build_tool
  python3 tests/run "$build" "$@"
}

command_asan() {
  install_packages
  install_optional
  configure out/build-asan -Db_sanitize=address,undefined -Db_lundef=false -Dbuildtype=debugoptimized
  compile out/build-asan
  # Errors end the program. Exit 66 is not a status that samebits itself gives.
  ASAN_OPTIONS="${ASAN_OPTIONS:-exitcode=66:detect_stack_use_after_return=1}" \
    UBSAN_OPTIONS="${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1:exitcode=66}" \
    python3 tests/run out/build-asan --slow "$@"
}

command_bench() {
  install_packages
  build_tool
  out/bin/samebits bench --figures "$@"
}

command_format() {
  install_packages format
  case "${1-}" in
  --check) c_files | xargs -0 clang-format --dry-run --Werror && say "every file is formatted" ;;
  "") c_files | xargs -0 clang-format -i ;;
  *) die "unknown option '$1'; 'format' takes --check or nothing" ;;
  esac
}

command_lint() {
  install_packages lint
  build_tool # compile_commands.json is made by it
  # Left out is what needs headers that may not be here: another system's, and mpi.h (the program that ranks run
  # is compiled where samebits runs).
  local other=darwin left_out
  [ "$(uname -s)" != Darwin ] || other=linux
  left_out="generator/platform/$other.c runtime/mpi/rank.c"
  find generator runtime -type f -name '*.c' ! -path "${left_out% *}" ! -path "${left_out#* }" -print0 | sort -z |
    xargs -0 -n 4 -P "$(workers)" clang-tidy --quiet -p "$build" 2>out/lint.log ||
    { grep -v ' warnings\? generated\.$' out/lint.log >&2 || true; die "clang-tidy has warnings (above)"; }
  say "no warnings; left out, for headers that may not be here: $left_out"
}

command_cross() {
  install_packages
  build_tool # its list of files and flags, and the sources that it makes
  tests/cross "$build" out/cross "$@"
}

main() {
  local name="${1-all}"
  [ $# -eq 0 ] || shift
  case "$name" in
  all) command_all ;;
  asan) command_asan "$@" ;;
  bench) command_bench "$@" ;;
  build) install_packages && build_tool && say "built out/bin/samebits" ;;
  clean) rm -rf -- out ;;
  cross) command_cross "$@" ;;
  format) command_format "$@" ;;
  help | --help | -h) usage ;;
  lint) command_lint ;;
  packages) install_packages ;;
  test) command_test "$@" ;;
  *)
    usage >&2
    printf '\nbuild.sh: error: unknown command %s\n' "'$name'" >&2
    exit 2
    ;;
  esac
}

main "$@"
