class Counted:
    def __init__(self):
        self.count = 0

    def process_response(self, req, resp, resource, req_succeeded):
        self.count += 1
        resp.set_header("X-Count", str(self.count))
