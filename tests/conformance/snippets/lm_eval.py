from lm_eval.tasks import TaskManager

tasks = TaskManager(include_path="exports/lm-eval", include_defaults=False)
records = [
    {"task": name, "prompt": task.doc_to_text(document), "completion": str(task.doc_to_target(document))}
    for name, task in tasks.load_task_or_group(tasks.all_subtasks).items()
    for document in task.test_docs()
]
