from django.db.models import F
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from .models import Choice, Question


def index(request):
    questions = Question.objects.prefetch_related("choices")
    request.session["seen"] = request.session.get("seen", 0) + 1
    return render(request, "polls/index.html", {"questions": questions, "title": "Polls of the day"})


def ask(request):
    question = Question.objects.create(text=request.GET.get("q", "Tea?"))
    for text in ("yes", "no"):
        question.choices.create(text=text)
    return JsonResponse({"question": question.pk, "choices": question.choices.count()})


@require_POST
def vote(request, number):
    choice = get_object_or_404(Choice, pk=number)
    Choice.objects.filter(pk=choice.pk).update(votes=F("votes") + 1)
    return redirect("index")
