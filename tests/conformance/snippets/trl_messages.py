from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

trainer = SFTTrainer(
    model="models/base",
    args=SFTConfig(
        output_dir="models/trl",
        completion_only_loss=True,
        max_length=1024,
        max_steps=3,
        use_cpu=True,  # leave this line and the next out where there is a GPU
        bf16=False,
    ),
    train_dataset=load_dataset("exports/messages", split="train"),
)
trainer.train()
batches = trainer.get_train_dataloader()
