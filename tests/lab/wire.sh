# shellcheck shell=bash
# wire.sh - for lab tests that look at packets: addresses of nodes, when something could be reached, times of events.
# Comes after lib.sh.

# check_figure TEXT COMMAND...: as check, of something that a lab measures. Under sanitizers (SAN=1) all is slow, figures
# mean nothing, and nobody asks; what else a test checks has to hold there too.
check_figure() { [ -n "${SAN:-}" ] || check "$@"; }

# in_node LAB NODE COMMAND...
in_node() {
  local namespace=$1.$2
  shift 2
  ip netns exec "$namespace" "$@"
}
# address LAB NODE 4|6: of the node's own end
address() {
  ip -n "$1.$2" -j "-$3" address show dev eth0 | jq -r '[.[].addr_info[] | select(.scope == "global").local] | first'
}
# zonal LAB ZONE 4|6 [SERVICE]: the address that the zone's load balancer holds for a service of $work/LAB.yaml
zonal() {
  "$azlab" check --plan "$work/$1.yaml" | awk -v nlb="LAB.$2.nlb" -v family="$3" -v service="${4:-shop}" '
    /^LAB/ { here = $1 == nlb }
    here && $1 == "zonal," && $2 == service { print family == 4 ? $3 : $4 }'
}
# pattern N: what a target answers to /bytes/N: the numbers from 0 to 250 again and again
pattern() {
  local size=$1 i
  for ((i = 0; i < 251; i++)); do printf '%b' "\\x$(printf %x $i)"; done >"$work/period"
  for ((i = 251; i < size; i *= 2)); do cat "$work/period" "$work/period" >"$work/periods" && mv "$work/periods" "$work/period"; done
  head -c "$size" "$work/period"
}
# host ADDRESS: as a URL wants it
host() {
  case $1 in *:*) echo "[$1]" ;; *) echo "$1" ;; esac
}
# newest LAB ZONE: the instance that was launched there last
newest() {
  "$azlab" events "$1" | jq -s -r --arg zone "$2" '[.[] | select(.event == "instance.launched" and .zone == $zone).node] | last'
}
# launch LAB ZONE: a new instance; prints its name
launch() {
  "$azlab" instance "$1" launch "$2" && newest "$1" "$2"
}

# --- times ---------------------------------------------------------------------------------------------------

# clock LAB: seconds since 1970 at the lab's t = 0, to about the time that one question takes
clock() {
  local before t
  before=$EPOCHREALTIME
  t=$(status "$1" .t)
  jq -n "($before + $EPOCHREALTIME) / 2 - $t"
}
# installed LAB NODE ZONE: the t at which the zone's router had its first route to an instance
installed() {
  "$azlab" events "$1" | jq -s -e --arg node "$2" --arg zone "$3" '
    [.[] | select(.event == "route.installed" and .instance == $node and .zone == $zone).t] | first | numbers'
}
# launched LAB NODE: and of its launch
launched() {
  "$azlab" events "$1" | jq -s -e --arg node "$2" '
    [.[] | select(.event == "instance.launched" and .node == $node).t] | first | numbers'
}
# holds EXPRESSION: of numbers, such as "0.1 < 0.2 and 1 < 2"
holds() {
  [ "$(jq -n "$1")" = true ] || { echo "not so: $1"; return 1; }
}

# --- who can be reached --------------------------------------------------------------------------------------

# knock LAB FROM NODE 4|6 FILE: asks NODE from the node FROM, 40 times a second, until it answers or 8 s are over.
# One line an attempt: when it ended, how long it took, curl's exit status. A connection that is not there within
# 50 ms is given up: what waits for a SYN's retransmission says nothing about when the way was open. One curl makes
# all attempts, or a busy machine would spend its time on starting new ones.
knock() {
  local to status took
  to=$(address "$1" "$3" "$4")
  while read -r status took; do
    echo "$EPOCHREALTIME $took $status"
    [ "$status" -ne 0 ] || break
  done < <(in_node "$1" "$2" timeout 8 curl -s --globoff --rate 40/s --connect-timeout 0.05 --max-time 2 \
    -w '%{stderr}%{exitcode} %{time_total}\n' -K <(printf "url = http://$(host "$to")/%d\noutput = /dev/null\n" {1..320}) 2>&1) >"$5"
}
# opens FILE T: the way opened at T (seconds since 1970): no attempt was answered before, each that began later was,
# within 100 ms. The lab's clock was read to within some milliseconds, and what a router does precedes its own
# event by as much: 20 ms for that.
opens() {
  awk -v t="$2" '
    { began = $1 - $2 - t; ended = $1 - t }
    $3 == 0 { answered++; if (ended < -0.02 || ended - (began > 0 ? began : 0) > 0.1) wrong++ }
    $3 != 0 && began > 0.02 { wrong++ }
    { printf "%.3f to %.3f: %s\n", began, ended, $3 }
    END { exit !(answered && !wrong) }' "$1"
}
