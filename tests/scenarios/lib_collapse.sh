# lib_collapse.sh - droplet-collapse.yaml cut short, without its operator, and what is asked of such a run.
# Sourced after lib.sh, by the test of the claim and by its benchmark.
T=topologies/droplet-collapse.yaml

# cut NAME SEED CALM_S GONE_MS BACK_S STEPS [arguments]: "back" begins with the repair, 20 s later an operator takes
# STEPS (none: never).
cut() {
  local name=$1 seed=$2 gone=$(($3 * 1000)) back=$(($3 * 1000 + $4)) end=$((($3 + $5) * 1000 + $4)) mended=
  [[ -z $6 ]] || mended="{phase: mended, at: $((back + 20000))ms, do: [$6]},"
  shift 6
  run "$name" "$T" --seed "$seed" --set 'expect=[]' --set "scenario=[{phase: calm, at: 0s}, {phase: gone, at: ${gone}ms, do: [dns break]},
    {phase: back, at: ${back}ms, do: [dns repair]}, $mended {phase: end, at: ${end}ms}]" "$@"
}
# What was measured, for whoever reads the log.
measured() {
  figure "$1" '.phases | to_entries[] | .key as $phase | .value.ec2 | "# '"$1"', \($phase): \(.leases_held_min) leases at least, \(.leases_held) at the end, back after \(.leases_recovered_s // "never") s; good work \(.good_per_s | round)/s, stale \(.stale_per_s | round)/s, queue up to \(.queue_max), oldest \(.oldest_max_ms | round) ms; launches \(.launches), API errors \(.api_errors)"'
}
# ec2_holds NAME PHASE JQ: is it true of the phase's figures of EC2?
ec2_holds() {
  [[ $(figure "$1" ".phases.$2.ec2 | $3") == true ]] && return 0
  echo "# $1, $2: not true: $3"
  return 1
}
# All leases at once are droplets x 16 ms / 16 workers of work, of which three times may pass. Before it, resolvers keep the
# empty answer for up to a second (negative_ttl); after it, the sample that shows it is up to a second late.
readonly IN_TIME='.leases_recovered_s != null and .leases_recovered_s <= 1 + 3 * .droplets * 0.016 / 16 + 1'
# An outage that leaves nothing behind.
readonly ENDS_BY_ITSELF='.leases_recovered_s != null and .leases_held >= 0.98 * .droplets'
