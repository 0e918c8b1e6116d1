from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

import tasks
from store import store


@asynccontextmanager
async def lifespan(app):
    store.open()
    yield
    store.close()


app = FastAPI(title="tasks", lifespan=lifespan)
app.include_router(tasks.router, prefix="/tasks", tags=["tasks"])


@app.get("/", response_class=HTMLResponse)
async def index():
    rows = "".join(f"<li>{task.title}</li>" for task in store.all())
    return f"<link rel='stylesheet' href='/static/tasks.css'><h1>What is to be done</h1><ul>{rows}</ul>"
