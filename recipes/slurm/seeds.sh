#!/bin/bash
# sbatch seeds.sh conll2003-ner; then nlpt report runs/conll2003-ner-seed-1
#SBATCH --job-name=nlpt-seeds
#SBATCH --array=1-5
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
set -euo pipefail
recipe=$1; shift
seed=$SLURM_ARRAY_TASK_ID
srun nlpt finetune --recipe "$recipe" --output "runs/$recipe-seed-$seed" "training.seed=$seed" "$@"
