import tempfile
import unittest
from pathlib import Path

from app import NAME_LENGTH, TEXT_LENGTH, app


class GuestbookTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        app.config.update(TESTING=True, DATABASE=Path(folder.name) / "made" / "guestbook.sqlite3")
        self.client = app.test_client()

    def page(self):
        return self.client.get("/").get_data(as_text=True)

    def test_it_begins_empty(self):
        self.assertIn("Nobody was here yet.", self.page())

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


if __name__ == "__main__":
    unittest.main()
