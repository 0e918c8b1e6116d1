class Store:
    def __init__(self):
        self.tasks = []
        self.is_open = False

    def open(self):
        self.is_open = True

    def close(self):
        self.is_open = False

    def all(self):
        return self.tasks

    def add(self, task):
        self.tasks.append(task)
        return task


store = Store()
