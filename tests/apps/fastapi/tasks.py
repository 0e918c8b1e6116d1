from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, Field

from store import Store, store

router = APIRouter()


class Task(BaseModel):
    title: str = Field(min_length=1, max_length=80)
    done: bool = False


def opened():
    if not store.is_open:
        raise HTTPException(503)
    return store


Opened = Annotated[Store, Depends(opened)]


@router.get("/")
async def every(store: Opened) -> list[Task]:
    return store.all()


@router.post("/", status_code=201)
async def add(task: Task, store: Opened) -> Task:
    return store.add(task)
