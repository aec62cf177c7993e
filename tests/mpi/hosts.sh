#!/bin/sh
# hosts.sh TEST-RANKED: ranks on two hosts. The hosts are network namespaces of this test's own, each with a name of its own
# and one end of a virtual cable; launchers enter them by a small agent in the place of ssh. Everything between ranks of
# different hosts, and between ranks and the test, goes over that cable: memory that hosts share would, on one machine, be
# shared by these too, so MPI is told to use nothing but TCP. The byte counters of the cable show what went over it.
set -u
program="$(realpath "$1")"
a="samebits-$$-a" b="samebits-$$-b" net="10.213.$(($$ % 250))"
folder=""

skip() { # by the convention of automake and meson: the last line is the reason
  echo "$*"
  exit 77
}

clean() {
  ip netns delete "$a" 2>/dev/null
  ip netns delete "$b" 2>/dev/null
  [ -z "$folder" ] || rm -rf "$folder"
}

make_hosts() {
  ip netns add "$a" && ip netns add "$b" &&
    ip -n "$a" link add cable type veth peer name cable netns "$b" &&
    ip -n "$a" address add "$net.1/24" dev cable && ip -n "$b" address add "$net.2/24" dev cable &&
    for host in "$a" "$b"; do
      ip -n "$host" link set lo up && ip -n "$host" link set cable up || return 1
    done
}

# agent [OPTION...] HOST COMMAND...: as ssh does it, the words of the command become one line for a shell there.
make_agent() {
  cat >"$folder/agent" <<END
#!/bin/sh
while [ "\${1#-}" != "\$1" ]; do shift; done
case "\$1" in
"$net.1") host=$a ;;
"$net.2") host=$b ;;
*) echo "no host \$1" >&2; exit 255 ;;
esac
shift
exec ip netns exec "\$host" unshare --uts sh -c 'hostname "\$0"; exec sh -c "\$1"' "\$host" "\$*"
END
  chmod +x "$folder/agent"
}

# The named cases, run on the first of the hosts.
# shellcheck disable=SC2016 # the inner shell expands them
run_cases() {
  ip netns exec "$a" unshare --uts sh -c 'hostname "$0"; exec "$@"' "$a" env \
    TMPDIR="$folder" SAMEBITS_MPI_HOSTFILE="$folder/hosts" \
    OMPI_MCA_plm_rsh_agent="$folder/agent" OMPI_MCA_btl=tcp,self OMPI_MCA_btl_tcp_if_include="$net.0/24" \
    OMPI_MCA_oob_tcp_if_include="$net.0/24" OMPI_MCA_pml=ob1 \
    HYDRA_LAUNCHER=ssh HYDRA_LAUNCHER_EXEC="$folder/agent" HYDRA_IFACE=cable UCX_TLS=tcp,self UCX_NET_DEVICES=cable \
    "$program" "$@"
}

for needed in ip unshare; do
  command -v "$needed" >/dev/null || skip "no $needed in PATH: apt-get install iproute2 util-linux"
done
trap clean EXIT
trap 'exit 1' INT TERM HUP
make_hosts 2>/dev/null || skip "network namespaces are not allowed here"
ip netns exec "$a" unshare --uts true 2>/dev/null || skip "namespaces for host names are not allowed here"
folder="$(mktemp -d)" || exit 1
make_agent

sent() { ip netns exec "$1" cat /sys/class/net/cable/statistics/tx_bytes; }

number=0
say() { # say ok|"not ok" TITLE
  number=$((number + 1))
  echo "$1 $number - $2"
}

# Inputs of the calls alone are more than this, and so is what ranks of the other host return.
at_least=200000

try_library() { # NAME LAUNCHER COMPILER LINE-OF-HOSTFILE LINE...
  name="$1" launcher="$2" compiler="$3"
  shift 3
  if ! command -v "$launcher" >/dev/null || ! command -v "$compiler" >/dev/null; then
    say ok "$name: two hosts # SKIP no $launcher or no $compiler in PATH"
    return
  fi
  printf '%s\n' "$@" >"$folder/hosts"
  before_a="$(sent "$a")" before_b="$(sent "$b")"
  for one in test_two_hosts test_slicings test_counts test_crash test_exit test_loop test_killed; do
    if SAMEBITS_TEST_MPI="$name" CMOCKA_MESSAGE_OUTPUT=STDOUT run_cases "$one" >"$folder/log" 2>&1; then
      say ok "$name: two hosts: $one"
    else
      sed 's/^/# /' "$folder/log"
      say "not ok" "$name: two hosts: $one"
    fi
  done
  from_a=$(($(sent "$a") - before_a)) from_b=$(($(sent "$b") - before_b))
  echo "# $name: $from_a bytes went from the first host to the second, $from_b back"
  if [ "$from_a" -ge "$at_least" ] && [ "$from_b" -ge "$at_least" ]; then
    say ok "$name: the cable carried it"
  else
    say "not ok" "$name: the cable carried it"
  fi
}

cd "$folder" || exit 1
try_library openmpi mpirun.openmpi mpicc.openmpi "$net.1 slots=2" "$net.2 slots=2"
try_library mpich mpirun.mpich mpicc.mpich "$net.1:2" "$net.2:2"
echo "1..$number"
