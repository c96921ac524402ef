#!/usr/bin/env bash
# A running lab seen from outside, with everybody's tools: dig, curl, ip, bpftool, tshark.
. "$(dirname "$0")/lib.sh"
private_host "$@"
for program in dig curl tshark bpftool dumpcap; do
  command -v "$program" >/dev/null || skip_all "needs $program"
done

small_topology 'network: {manager: {retransmit: 200ms}}' > t.yaml
in_node() { ip netns exec "see.$1" "${@:2}"; } # what anybody can do without azlab

# What leaves the host towards any resolver meanwhile: nothing of the lab's may be among it. A name that nobody
# else asks for would show even if the capture saw other programs' queries.
dumpcap -q -i any -f 'port 53' -w "$work/host.pcapng" 2>host.err &
sniffer=$!
wait_for 30 grep -q "^Capturing on\|File:" host.err || fail "the capture on the host's side starts" "$(cat host.err)"

check "the lab comes up" lab_up see t.yaml

# --- names --------------------------------------------------------------------------------------------------------

resolver_of() { awk '$1 == "nameserver" { print $2; exit }' "/etc/netns/see.$1/resolv.conf"; }
answers() { in_node "$1" dig +short +time=2 +tries=1 "@$(resolver_of "$1")" shop.lab "$2"; }
for node in az1.checker az2.checker internet.client-1; do
  check "dig in $node: two IPv4 addresses of shop.lab" test "$(answers $node A | grep -cE '^[0-9.]+$')" = 2
  check "dig in $node: two IPv6 addresses" test "$(answers $node AAAA | grep -c :)" = 2
done
check "az1 and az2 ask resolvers of their own" test "$(resolver_of az1.checker)" != "$(resolver_of az2.checker)"
check "a name that the lab doesn't have does not exist" bash -c \
  "ip netns exec see.az1.checker dig +time=2 +tries=1 @$(resolver_of az1.checker) azlab-test-nowhere.example | grep -q 'status: \(NXDOMAIN\|REFUSED\|SERVFAIL\)'"
check "resolv.conf and nsswitch.conf stand in /etc/netns" bash -c \
  "grep -q nameserver /etc/netns/see.az1.nlb/resolv.conf && grep -q '^hosts:.*dns' /etc/netns/see.az1.nlb/nsswitch.conf"
check "getent by name through azlab exec" bash -c "'$azlab' exec see az2.checker -- getent ahosts shop.lab | grep -q STREAM"
check "curl by name through azlab exec" "$azlab" exec see internet.client-1 -- curl -sSf -m 5 http://shop.lab/
check "curl by name through ip netns exec" in_node internet.client-1 curl -sSf -m 5 http://shop.lab/
check "curl by name from a zone" in_node az1.checker curl -sSf -m 5 http://shop.lab/
check "curl over IPv6" in_node internet.client-1 curl -6 -sSf -m 5 http://shop.lab/
check_not "curl of another name finds nothing" in_node internet.client-1 curl -sSf -m 5 http://azlab-test-nowhere.example/
check "LAB may be left out in exec" "$azlab" exec az1.checker -- true
check_exit "exec hands the command's status on" 7 "" "$azlab" exec see az1.checker -- sh -c 'exit 7'
check_line "exec on an unknown node" 2 "no node 'az1.nosuch'" "$azlab" exec see az1.nosuch -- true
check_line "exec of an unknown program" 127 "cannot run azlab-test-nosuch" "$azlab" exec see az1 -- azlab-test-nosuch

# --- routes, programs ---------------------------------------------------------------------------------------------

check "az1's router holds host routes to its instances and to az2's" test \
  "$(in_node az1 ip -4 route show proto 97 | wc -l) $(in_node az1 ip -6 route show proto 97 | wc -l)" = "4 4"
check "its own go to links, the others to the backbone" test \
  "$(in_node az1 ip -4 route show proto 97 | grep -c 'dev shop-')" = 2
check "what has no host route is unreachable in the zone" bash -c "ip netns exec see.az1 ip -4 route | grep -q ^unreachable"
programs=$(bpf_programs_of see)
check "bpftool shows the programs on the lab's links" test "$(wc -w <<<"$programs")" -ge 2
check "bpftool knows them by name" bash -c "for id in $(echo $programs); do bpftool prog show id \$id; done | grep -qE 'name (fault|nlb|decide|forward)'"

# --- captures -----------------------------------------------------------------------------------------------------

count() { tshark -r "$1" -Y "$2" 2>/dev/null | wc -l; }
owner() { stat -c %u:%g "$1"; }
check "capture of a node for a second" env SUDO_UID=1234 SUDO_GID=4321 "$azlab" capture see az1.shop-1 -w node.pcapng --for 1s
check "it is the user's" test "$(owner node.pcapng)" = 1234:4321
check "health checks of az1.shop-1 carry CS2 (DSCP 16)" test "$(count node.pcapng 'tcp.dstport == 80 && ip.dsfield.dscp == 16')" -ge 4
check "so do the answers to them" test "$(count node.pcapng 'tcp.srcport == 80 && ip.dsfield.dscp == 16')" -ge 4
check "capture of a zone, with a filter" "$azlab" capture see az1 -w zone.pcapng --for 1s 'tcp port 80'
check "a filter lets nothing else in" test "$(count zone.pcapng 'tcp.port == 80')" -gt 0 -a "$(count zone.pcapng '!(tcp.port == 80)')" = 0
check "a zone's capture shows more than one instance" test \
  "$(tshark -r zone.pcapng -Y 'tcp.dstport == 80 && ip.dsfield.dscp == 16' -T fields -e ip.dst 2>/dev/null | sort -u | wc -l)" -ge 2

# Route updates are sent when there is something to tell: launch while the capture runs.
"$azlab" capture see all -w all.pcapng > all.log 2>&1 &
capture=$!
capturing() { [ "$(pgrep -c -x dumpcap)" -ge 4 ] && [ "$(stat -c %s /run/azlab-capture-*/*.pcapng | sort -n | head -n 1)" -gt 0 ]; }
check "capture of all runs until it is told to end" wait_for 30 capturing
check "an instance is launched meanwhile" "$azlab" instance see launch az2
check "its routes are acknowledged" wait_for 30 has_event see '.event == "instance.connected" and .node != "" and .instance == "az2.shop-3"'
kill -INT "$capture"
wait "$capture"
check "Ctrl-C ends the capture well" test $? = 0
check "route updates carry CS6 (DSCP 48)" test "$(count all.pcapng 'udp && ip.dsfield.dscp == 48 || ipv6.tclass.dscp == 48 && udp')" -ge 4
check "all of az1, az2 and the backbone are in it" test "$(count all.pcapng 'ip.dsfield.dscp == 16')" -gt 0
check "nothing of the capture is left" bash -c "! ls -d /run/azlab-capture-* 2>/dev/null && ! pgrep -x dumpcap -n | grep -vx $sniffer"
check_line "capture of an unknown node" 2 "no node or zone 'az9'" "$azlab" capture see az9 -w x.pcapng
check "and leaves no file" test ! -e x.pcapng
check_exit "capture without a file" 2 "-w FILE" "$azlab" capture see az1
check_exit "a wrong filter is told" 4 "syntax error|valid|filter" "$azlab" capture see az1 -w x.pcapng --for 1s 'no such filter'

# --- nothing reaches the host's resolver ----------------------------------------------------------------------------

check "down" lab_down see
kill -INT "$sniffer"
wait "$sniffer"
check "no query of the lab was seen on the host's side" test "$(count host.pcapng 'dns.qry.name contains "shop.lab" || dns.qry.name contains "azlab-test"')" = 0
finish
