#!/bin/bash
# sbatch requeue.sh conll2003-ner; each time it is preempted or out of time it saves and goes on later
#SBATCH --job-name=nlpt
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@180
set -uo pipefail
recipe=$1; shift
asked=
# The first signal lets training save after its step; a second one would end it at once.
trap 'asked=yes; kill -USR1 "$run"' USR1
trap 'asked=yes; kill -TERM "$run"' TERM
srun nlpt finetune --recipe "$recipe" --output "runs/$recipe" "$@" &
run=$!
wait "$run"
while kill -0 "$run" 2>/dev/null; do wait "$run"; done  # a signal ends `wait`, not the run
wait "$run"; code=$?
if [ -n "$asked" ] && [ "$code" -ne 0 ]; then
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
