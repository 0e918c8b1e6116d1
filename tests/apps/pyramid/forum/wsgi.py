from forum import main

app = main({"forum.title": "The forum"})
