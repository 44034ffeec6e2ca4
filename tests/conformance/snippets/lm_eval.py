from lm_eval.tasks import TaskManager

tasks = TaskManager(include_path="exports/lm-eval", include_defaults=False)
rows = [
    {"prompt": task.doc_to_text(doc), "completion": task.doc_to_choice(doc)[task.doc_to_target(doc)]}
    for name in tasks.all_subtasks
    for task in tasks.load_task_or_group(name).values()
    for doc in task.test_docs()
]
