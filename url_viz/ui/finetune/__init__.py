"""The Adapt and finetune page: start a job, watch it, use its head."""
