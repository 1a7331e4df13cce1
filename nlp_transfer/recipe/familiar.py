"""What run_ner.py, run_classification.py and TrainingArguments call a setting in, ours out."""

from __future__ import annotations

import re
from collections.abc import Collection

_KEY = re.compile(r"[a-z_]+(\.[a-z_]+)+")

MODEL = {
    "model_name_or_path": "model.checkpoint",
    "model_name": "model.checkpoint",
    "pretrained_model_name_or_path": "model.checkpoint",
    "model_revision": "model.revision",
    "trust_remote_code": "model.trust_remote_code",
    "config_name": "the checkpoint's own configuration is read: model.checkpoint",
    "tokenizer_name": "the checkpoint's own tokenizer is read: model.checkpoint",
    "use_fast_tokenizer": "fast tokenizers are always used",
    "cache_dir": "set the environment variable HF_HOME",
    "token": "log in with `hf auth login`",
    "use_auth_token": "log in with `hf auth login`",
    "ignore_mismatched_sizes": "a head of other sizes is always replaced by a new one",
    "max_seq_length": "model.max_pieces",
    "max_length": "model.max_pieces",
    "max_seq_len": "model.max_pieces",
    "pad_to_max_length": "batches are padded to their longest window; training.tokens_per_batch "
    "bounds them",
    "doc_stride": "model.overlap",
    "stride": "model.overlap",
    "attn_implementation": "model.attention",
    "hidden_dropout_prob": "model.dropout",
}

DATA = {
    "task_name": "task.name",
    "dataset_name": "data.source",
    "dataset": "data.source",
    "dataset_config_name": "data.config",
    "data_dir": "data.source",
    "train_file": "data.splits.train",
    "validation_file": "data.splits.validation",
    "test_file": "data.splits.test",
    "train_split_name": "data.splits.train",
    "validation_split_name": "data.splits.validation",
    "test_split_name": "data.splits.test",
    "remove_splits": "only the splits that data.splits names are read",
    "text_column_name": "data.columns.text, for NER data.columns.tokens",
    "text_column_names": "data.columns.text, the second of a pair data.columns.text_pair",
    "text_column_delimiter": "join columns in the data; a pair of texts is data.columns.text and "
    "data.columns.text_pair",
    "label_column_name": "data.columns.label, for NER data.columns.tags",
    "remove_columns": "only the columns that data.columns names are read",
    "label_list": "task.classes, for NER task.types",
    "labels": "task.classes, for NER task.types",
    "num_labels": "the labels of the data are counted; task.classes or task.types names them",
    "problem_type": "task.multi_label",
    "do_regression": "there is no regression, only classes",
    "preprocessing_num_workers": "nlpt prepare --num-proc N",
    "overwrite_cache": "prepared data is found by its content, so it is never stale",
    "shuffle_train_dataset": "examples are learned in another order each epoch, by training.seed",
    "shuffle_seed": "training.seed",
    "max_train_samples": "data.train_examples",
    "max_eval_samples": "write the examples to score into a file of their own: data.splits.test",
    "max_predict_samples": "nlpt predict reads the texts that it is given",
    "label_all_tokens": "task.label_pieces: all",
    "return_entity_level_metrics": "the report always has every entity type",
    "metric_name": "the report has every metric; validation entity F1 or macro F1 chooses",
}

TRAINING = {
    "epochs": "training.epochs",
    "num_train_epochs": "training.epochs",
    "num_epochs": "training.epochs",
    "n_epochs": "training.epochs",
    "lr": "training.learning_rate",
    "learning_rate": "training.learning_rate",
    "batch_size": "training.tokens_per_batch",
    "train_batch_size": "training.tokens_per_batch",
    "eval_batch_size": "training.tokens_per_batch",
    "per_device_train_batch_size": "training.tokens_per_batch",
    "per_device_eval_batch_size": "training.tokens_per_batch",
    "per_gpu_train_batch_size": "training.tokens_per_batch",
    "gradient_accumulation_steps": "training.tokens_at_once",
    "auto_find_batch_size": "a batch that memory does not hold is learned in parts; "
    "training.tokens_per_batch says how large it is",
    "warmup_steps": "training.warmup",
    "warmup_ratio": "training.warmup",
    "weight_decay": "training.weight_decay",
    "seed": "training.seed",
    "data_seed": "training.seed",
    "lr_scheduler_type": "training.schedule",
    "scheduler": "training.schedule",
    "lr_scheduler_kwargs": "training.schedule_arguments",
    "bf16": "training.precision",
    "fp16": "training.precision",
    "bf16_full_eval": "training.precision",
    "fp16_full_eval": "training.precision",
    "half_precision_backend": "training.precision",
    "early_stopping_patience": "training.early_stopping",
    "patience": "training.early_stopping",
    "class_weight": "training.class_weights",
    "label_smoothing": "training.arguments.label_smoothing_factor",
    "adafactor": "training.arguments.optim",
    "evaluation_strategy": "training.arguments.eval_strategy",
    "no_cuda": "training.arguments.use_cpu",
    "group_by_length": "batches are always token budgets of like lengths",
    "train_sampling_strategy": "batches are always token budgets of like lengths",
    "length_column_name": "batches are always token budgets of like lengths",
    "dataloader_drop_last": "every example is learned from",
    "dataloader_in_order": "batches are drawn in the order of training.seed",
    "dataloader_multiprocessing_context": "training.arguments.dataloader_num_workers",
    "remove_unused_columns": "the task decides the columns",
    "label_names": "the task decides the columns; data.label_names names integer labels",
}

RUN = {
    "output_dir": "--output DIR",
    "overwrite_output_dir": "--fresh",
    "do_train": "nlpt finetune trains",
    "do_eval": "evaluation.splits",
    "do_predict": "evaluation.splits has what is scored; nlpt predict RUN FILE reads other texts",
    "resume_from_checkpoint": "run the same command again, it resumes",
    "ignore_data_skip": "a resumed run goes on with the next batch",
    "push_to_hub": "--push-to-hub REPO",
    "hub_model_id": "--push-to-hub REPO",
    "hub_token": "log in with `hf auth login`",
    "hub_strategy": "the finished run is published: --push-to-hub REPO",
    "hub_always_push": "the finished run is published: --push-to-hub REPO",
    "hub_revision": "the finished run is published: --push-to-hub REPO",
    "hub_private_repo": "publish.private",
    "load_best_model_at_end": "the best checkpoint is always kept",
    "metric_for_best_model": "validation entity F1 or macro F1 decides",
    "greater_is_better": "validation entity F1 or macro F1 decides, the greatest wins",
    "save_on_each_node": "the main process writes, and sends what others read",
    "save_only_model": "a run that was killed goes on; that takes the optimizer's state",
    "prediction_loss_only": "evaluation computes the headline figure",
    "batch_eval_metrics": "evaluation keeps no logits",
    "eval_accumulation_steps": "evaluation keeps no logits",
    "eval_do_concat_batches": "evaluation keeps no logits",
    "eval_use_gather_object": "evaluation keeps no logits",
    "include_for_metrics": "evaluation keeps no logits",
    "save_safetensors": "models are always safetensors",
    "logging_nan_inf_filter": "a loss that is no number ends the run",
    "disable_tqdm": "a bar is shown on a terminal and in a notebook",
    "logging_dir": "log.jsonl in the run folder has every logged step",
    "ddp_timeout": "training.timeout_minutes",
    "local_rank": "start several processes with torchrun",
}

TABLES = {
    "The checkpoint": MODEL,
    "The data": DATA,
    "Training": TRAINING,
    "The run": RUN,
}
FAMILIAR = MODEL | DATA | TRAINING | RUN

SAME_PLACE = {
    "r": "rank",
    "dev": "validation",
    "valid": "validation",
    "val": "validation",
    "eval": "validation",
    "words": "tokens",
    "ner_tags": "tags",
    "text_a": "text",
    "text_b": "text_pair",
}
"""Keys of others, ours in the same section."""

OTHER_VALUES = {
    "token-classification": "ner",
    "tokenclassification": "ner",
    "named-entity-recognition": "ner",
    "text-classification": "classification",
    "sequence-classification": "classification",
    "sentiment": "classification",
    "sentiment-analysis": "classification",
    "bio": "iob2",
    "iob": "iob1",
    "iobes": "bioes",
    "biluo": "bilou",
    "adamw-torch": "adamw",
    "whitespace": "blanks",
    "qlora": "lora",
    "head-only": "frozen",
    "linear-probe": "frozen",
    "fine-tune": "full",
}
"""Values of others, ours. Tasks are among them, though this room is below theirs: it knows words
only, and `other_value` gives none that a recipe does not take."""


def same_place(name: str, known: Collection[str]) -> str | None:
    """Find the key of a section that another name stands for: one of others, its plural."""
    bare = re.sub("^(lora_|use_)", "", name)
    candidates = (SAME_PLACE.get(bare, ""), bare, f"{bare}s", bare.removesuffix("s"))
    return next((key for key in candidates if key in known), None)


def other_value(value: str, known: Collection[str]) -> str | None:
    """Find the value that another word stands for."""
    ours = OTHER_VALUES.get(value.lower().replace("_", "-"))
    return ours if ours in known else None


def is_key(ours: str) -> bool:
    """Tell whether what stands here for a setting of others is one key of a recipe."""
    return bool(_KEY.fullmatch(ours))
