<!doctype html>
<link rel="stylesheet" href="/static/wiki.css">
<h1>Page {{name}}</h1>
<p>{{!text}}</p>
