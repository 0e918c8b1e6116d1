"""Run by `dae test`: each run has a database, a store, a cache and a mailbox of its own, with nothing in them."""

import io
import unittest

from dae.api.beansdb import bdb
from dae.api.testing import login, reset

from app import NAME_LENGTH, TEXT_LENGTH, app

PNG = b"\x89PNG\r\n\x1a\n and more"


class GuestbookTest(unittest.TestCase):
    def setUp(self):
        reset()
        self.client = app.test_client()

    def page(self):
        return self.client.get("/").get_data(as_text=True)

    def test_it_begins_empty_and_counts_visits(self):
        self.assertIn("Nobody was here yet.", self.page())
        self.assertIn("Looked at 2 times.", self.page())

    def test_what_is_written_is_read_newest_first(self):
        for text in ["first", "second"]:
            answer = self.client.post("/", data={"name": "  Ada \n Lovelace ", "text": text})
            self.assertEqual((answer.status_code, answer.location), (303, "/"))
        page = self.page()
        self.assertIn("2 lines so far.", page)
        self.assertIn("Ada Lovelace", page)
        self.assertLess(page.index("second"), page.index("first"))

    def test_without_a_name_it_was_somebody(self):
        self.client.post("/", data={"text": "你好"})
        self.assertIn("<footer>Somebody ", self.page())
        self.assertIn("你好", self.page())

    def test_markup_is_shown_and_not_obeyed(self):
        self.client.post("/", data={"name": "<b>", "text": "<script>alert(1)</script>"})
        self.assertNotIn("<script>", self.page())
        self.assertIn("&lt;script&gt;", self.page())

    def test_nothing_and_too_much_are_refused_and_kept_in_the_form(self):
        for data in [{"text": "  "}, {"text": "x" * (TEXT_LENGTH + 1)}, {"text": "kept", "name": "x" * (NAME_LENGTH + 1)}]:
            answer = self.client.post("/", data=data)
            self.assertEqual(answer.status_code, 422)
            self.assertIn('class="problem"', answer.get_data(as_text=True))
        self.assertIn("kept</textarea>", answer.get_data(as_text=True))
        self.assertIn("Nobody was here yet.", self.page())

    def test_who_is_logged_in_has_a_name_a_motto_and_a_face(self):
        self.assertIn("/_dae/login", self.client.get("/me").location)
        with login("Ada") as ada:
            profile = {"motto": "Notes by the translator", "face": (io.BytesIO(PNG), "me.png")}
            self.assertEqual(self.client.post("/me", data=profile).status_code, 303)
            self.client.post("/", data={"name": "somebody else", "text": "hello"})
            page = self.page()
        self.assertIn("<footer>Ada, <em>Notes by the translator</em>", page)
        self.assertIn(f'src="/faces/{bdb.get("profile:" + ada.id)["face"]}"', page)

    def test_a_face_is_a_picture(self):
        with login("Bob"):
            answer = self.client.post("/me", data={"face": (io.BytesIO(b"#!/bin/sh"), "me.png")})
        self.assertEqual(answer.status_code, 422)


if __name__ == "__main__":
    unittest.main()
