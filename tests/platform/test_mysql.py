"""What apps do with mysql, through connections that name no host: run with an app's environment, as by
`dae run -- python -m pytest test_mysql.py`. A driver that is not installed is left out."""

import datetime
import decimal
import os
import subprocess
import sys
import threading

import pytest

from dae.api import mysql, sqlstore

OWN = mysql.get_mysql_conn_params()


@pytest.fixture(params=["pymysql", "MySQLdb"])
def driver(request):
    return pytest.importorskip(request.param)


@pytest.fixture(autouse=True)
def empty():
    """Nothing is in the app's database."""
    clean()
    yield


def clean():
    with mysql.connect() as db, db.cursor() as cursor:
        cursor.execute("set foreign_key_checks=0")
        cursor.execute("show tables")
        for (table,) in cursor.fetchall():
            cursor.execute(f"drop table `{table}`")
        db.commit()


def test_params_have_the_old_names():
    assert set(OWN) == {"user", "passwd", "host", "port", "db"}
    assert isinstance(OWN["port"], int) and OWN["db"] == os.environ["DAE_MYSQL_DB"]


def test_connect_without_a_host(driver):
    for kwargs in ({}, {"charset": "utf8mb4"}, {"host": ""}, {"host": None}, {"user": "root", "passwd": "x"}, {"db": OWN["db"]}):
        db = driver.connect(**kwargs)
        cursor = db.cursor()
        cursor.execute("select database(), substring_index(current_user(), '@', 1)")
        assert cursor.fetchone() == (OWN["db"], OWN["user"]), kwargs
        db.close()


def test_connect_with_a_host_goes_there(driver):
    with pytest.raises(driver.OperationalError) as error:
        driver.connect(host="127.0.0.1", port=1, user="x", connect_timeout=5)
    assert error.value.args[0] in (2002, 2003)


def test_values_come_back(driver):
    db = driver.connect(charset="utf8mb4")
    cursor = db.cursor()
    cursor.execute(
        "create table v (i bigint unsigned, d decimal(12,4), t varchar(50), b varbinary(300), j json, s datetime(6), n int)"
    )
    row = (2**64 - 1, decimal.Decimal("12345678.9012"), "你好 'x' \\ 🎉", bytes(range(256)), '{"a": [1, null]}')
    now = datetime.datetime(2024, 2, 29, 23, 59, 59, 123456)
    cursor.execute("insert into v values (%s,%s,%s,%s,%s,%s,%s)", row + (now, None))
    db.commit()
    cursor.execute("select * from v")
    assert cursor.fetchone() == row + (now, None)
    db.close()


def test_strict_mode_time_zones_and_errors(driver):
    db = driver.connect()
    cursor = db.cursor()
    cursor.execute("create table s (a tinyint, b varchar(3) primary key)")
    with pytest.raises(driver.DataError):
        cursor.execute("insert into s values (300, 'x')")
    cursor.execute("insert into s values (1, 'x')")
    with pytest.raises(driver.IntegrityError) as error:
        cursor.execute("insert into s values (1, 'x')")
    assert error.value.args[0] == 1062
    cursor.execute("select convert_tz('2024-07-01 12:00:00', 'UTC', 'Asia/Shanghai'), convert_tz('2024-07-01 12:00:00', 'UTC', 'Europe/Berlin')")
    assert [str(value) for value in cursor.fetchone()] == ["2024-07-01 20:00:00", "2024-07-01 14:00:00"]
    db.close()


def test_other_databases_are_closed_and_test_databases_are_open(driver):
    db = driver.connect()
    cursor = db.cursor()
    for sql in ("create database someone_else", "use mysql", "select * from mysql.global_priv"):
        with pytest.raises((driver.OperationalError, driver.ProgrammingError)):
            cursor.execute(sql)
    name = f"test_{OWN['db']}"
    cursor.execute(f"drop database if exists `{name}`")
    cursor.execute(f"create database `{name}`")
    cursor.execute(f"drop database `{name}`")
    db.close()


def test_transactions_of_threads_keep_their_sums(driver):
    db = driver.connect()
    cursor = db.cursor()
    cursor.execute("create table c (n int)")
    cursor.execute("insert into c values (0)")
    db.commit()

    def add():
        db = driver.connect()
        cursor = db.cursor()
        for _ in range(20):
            cursor.execute("select n from c for update")
            (n,) = cursor.fetchone()
            cursor.execute("update c set n=%s", (n + 1,))
            db.commit()
        db.close()

    threads = [threading.Thread(target=add) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    cursor.execute("select n from c")
    assert cursor.fetchone() == (80,)
    db.close()


@pytest.mark.parametrize("url", ["mysql://", "mysql+pymysql://", "mysql+mysqldb://"])
def test_sqlalchemy(url):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from sqlalchemy import orm

    class Base(orm.DeclarativeBase):
        pass

    class Author(Base):
        __tablename__ = "author"
        id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)
        name = sqlalchemy.Column(sqlalchemy.String(50), unique=True, nullable=False)
        books = orm.relationship("Book", back_populates="author")

    class Book(Base):
        __tablename__ = "book"
        id = sqlalchemy.Column(sqlalchemy.Integer, primary_key=True)
        title = sqlalchemy.Column(sqlalchemy.Text)
        price = sqlalchemy.Column(sqlalchemy.Numeric(8, 2))
        author_id = sqlalchemy.Column(sqlalchemy.ForeignKey("author.id"))
        author = orm.relationship("Author", back_populates="books")

    engine = sqlalchemy.create_engine(url)
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add(Author(name="鲁迅", books=[Book(title="呐喊", price=decimal.Decimal("9.50")), Book(title="彷徨")]))
        session.commit()
        found = session.scalars(sqlalchemy.select(Author).join(Book).where(Book.price > 9)).one()
        assert found.name == "鲁迅" and len(found.books) == 2
        session.add(Author(name="鲁迅"))
        with pytest.raises(sqlalchemy.exc.IntegrityError):
            session.commit()
    inspector = sqlalchemy.inspect(engine)
    assert inspector.get_table_names() == ["author", "book"]
    assert [column["name"] for column in inspector.get_columns("book")] == ["id", "title", "price", "author_id"]
    assert inspector.get_foreign_keys("book")[0]["referred_table"] == "author"
    reflected = sqlalchemy.MetaData()
    reflected.reflect(engine)
    assert set(reflected.tables) == {"author", "book"}
    Base.metadata.drop_all(engine)
    engine.dispose()


def test_peewee():
    peewee = pytest.importorskip("peewee")
    # No name but the one every peewee database must have.
    database = peewee.MySQLDatabase(OWN["db"])

    class Note(peewee.Model):
        text = peewee.TextField()
        when = peewee.DateTimeField(default=datetime.datetime.now)

        class Meta:
            pass

    Note.bind(database)
    database.connect()
    database.create_tables([Note])
    with database.atomic():
        Note.create(text="eins")
        Note.create(text="zwei")
    assert [note.text for note in Note.select().order_by(Note.id)] == ["eins", "zwei"]
    assert database.get_tables() == ["note"]
    database.close()


DJANGO = """
import django, datetime
from django.conf import settings
settings.configure(
    SECRET_KEY="x",
    DATABASES={"default": {"ENGINE": "django.db.backends.mysql"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "django.contrib.admin"],
    USE_TZ=True, TIME_ZONE="Asia/Shanghai",
)
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User, Group
from django.db import transaction, IntegrityError
from django.db.models import Count
user = User.objects.create_user("ada", password="x")
user.groups.add(Group.objects.create(name="g"))
assert user.check_password("x")
assert User.objects.filter(groups__name="g").annotate(n=Count("groups")).get().n == 1
try:
    with transaction.atomic():
        User.objects.create_user("ada")
except IntegrityError:
    pass
else:
    raise AssertionError("two of one name")
# These need the server's time zones.
assert User.objects.filter(date_joined__year=datetime.datetime.now().year).count() == 1
assert len(User.objects.datetimes("date_joined", "day")) == 1
from django.test.utils import setup_databases, teardown_databases
teardown_databases(setup_databases(0, False), 0)
print("all is well")
"""


def test_django():
    pytest.importorskip("django")
    ran = subprocess.run([sys.executable, "-c", DJANGO], capture_output=True, text=True)
    assert ran.stdout.endswith("all is well\n"), ran.stderr


def test_sqlstore():
    store = sqlstore.store
    with store.manage_cursor() as cursor:
        cursor.execute("create table note (id int auto_increment primary key, text varchar(50))")
    store.commit()
    assert store.execute("insert into note (text) values (%s)", "eins") == 1
    assert store.execute("insert into note (text) values (%s)", ("zwei",)) == 2
    store.commit()
    assert store.execute("select text from note where id=%s", 2) == (("zwei",),)
    assert store.execute("update note set text=%(text)s", {"text": "drei"}) == 2
    assert store.execute("select distinct text from note") == (("drei",),)
    store.rollback()
    assert store.execute("select text from note order by id") == (("eins",), ("zwei",))
    with pytest.raises(sqlstore.QueryDisabledException):
        store.execute("delete from note -- where")
    assert store.execute("delete from note where id=%s", 1) == 1
    store.commit()
    with pytest.raises(ValueError):
        store.execute("drop table note")
    with store.get_cursor(table="note") as cursor:
        cursor.execute("select count(*) from note")
        assert cursor.fetchone() == (1,)
    store.rollback()


def test_sqlstore_sees_what_others_write():
    store = sqlstore.store
    store.get_cursor().execute("create table seen (n int)")
    store.commit()
    assert store.execute("select n from seen") == ()
    thread = threading.Thread(target=lambda: (store.execute("insert into seen values (1)"), store.commit()))
    thread.start()
    thread.join()
    assert store.execute("select n from seen") == ((1,),)


def test_sqlstore_farms():
    own = f"{OWN['host']}:{OWN['port']}:{OWN['db']}:{OWN['user']}:{OWN['passwd']}"
    other = f"{OWN['host']}:{OWN['port']}:test_{OWN['db']}:{OWN['user']}:{OWN['passwd']}"
    store = sqlstore.store_from_config({"farms": {"one": {"master": own, "tables": ["*"]}, "two": {"master": other, "tables": ["far"]}}})
    with store.manage_cursor(farm="one") as cursor:
        cursor.execute(f"create database if not exists test_{OWN['db']}")
        cursor.execute(f"create table if not exists test_{OWN['db']}.far (n int)")
        cursor.execute("create table near (n int)")
    store.execute("insert into far values (%s)", 1)
    store.execute("insert into near values (%s)", 2)
    store.commit()
    assert store.execute("select n from far") == ((1,),)
    assert store.execute("select n from near") == ((2,),)
    assert store.farm_of("far") == "two" and store.farm_of("whatever") == "one"
    with pytest.raises(ValueError):
        store.get_cursor(tables=["far", "near"])
    with pytest.raises(KeyError):
        store.get_cursor(farm="three")
    store.get_cursor(farm="two").execute(f"drop database test_{OWN['db']}")
    with pytest.raises(ValueError):
        sqlstore.store_from_config({"farms": {"one": {"master": own, "tables": ["near"]}}})


@pytest.mark.parametrize(
    "sql, wanted",
    [
        ("select * from a.b where x='from c'", ("select", "b")),
        (" /* from x */ SELECT 1 FROM `t` join u", ("select", "t")),
        ("insert ignore into t values (1)", ("insert", "t")),
        ("insert t (a) values (1)", ("insert", "t")),
        ("update t set a='from u'", ("update", "t")),
        ("replace into t select * from u", ("replace", "t")),
        ("show tables", ("show", None)),
        ("(select a from t) union (select a from u)", ("select", "t")),
    ],
)
def test_the_table_of_a_statement(sql, wanted):
    assert sqlstore.parse(sql) == wanted


def test_a_pool_survives_a_fork():
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if sqlstore.store.execute("select 1") == ((1,),) else 2
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    assert sqlstore.store.execute("select 1") == ((1,),)


def test_reset_brings_everything_back_quickly():
    import time

    from dae.api import permdir, testing

    with mysql.connect(autocommit=True) as db, db.cursor() as cursor:
        cursor.execute("create table entry (id int auto_increment primary key, text varchar(50))")
        cursor.execute("create table child (id int primary key, entry int, foreign key (entry) references entry (id))")
        cursor.execute("insert into entry (text) values ('one'), ('two')")
        cursor.execute("insert into child values (1, 2)")
        testing._known = None
        testing.reset()
        took = []
        for _ in range(10):
            cursor.execute("insert into entry (text) values ('three')")
            assert cursor.lastrowid == 3
            cursor.execute("delete from child")
            cursor.execute("create table new (n int)")
            with open(os.path.join(permdir.get_permdir(), "new"), "w") as file:
                file.write("x")
            began = time.perf_counter()
            testing.reset()
            took.append((time.perf_counter() - began) * 1000)
            cursor.execute("select e.text, c.id from entry e left join child c on c.entry = e.id order by e.id")
            assert cursor.fetchall() == (("one", None), ("two", 1))
            cursor.execute("show tables")
            assert cursor.fetchall() == (("child",), ("entry",))
            assert os.listdir(permdir.get_permdir()) == []
        print(f"a reset of the small example: median {sorted(took)[5]:.1f} ms, most {max(took):.1f} ms")
        assert sorted(took)[5] < 50
