"""`python -m nlp_transfer`, so that torchrun and `accelerate launch -m` can start a run."""

from nlp_transfer.cli.app import main

if __name__ == "__main__":
    main()
