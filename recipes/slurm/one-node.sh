#!/bin/bash
# sbatch one-node.sh conll2003-ner training.epochs=3
#SBATCH --job-name=nlpt
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=32
#SBATCH --time=08:00:00
set -euo pipefail
recipe=$1; shift
# nlpt starts one process a GPU itself.
srun nlpt finetune --recipe "$recipe" --output "runs/$recipe" "$@"
