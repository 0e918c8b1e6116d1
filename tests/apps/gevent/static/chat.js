new EventSource("/events").onmessage = message => console.log(message.data)
