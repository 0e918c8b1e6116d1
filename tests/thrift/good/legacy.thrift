# As files of fifteen years ago are written.
cpp_namespace legacy
java_package "org.legacy"
namespace smalltalk.category Thrift-Test
namespace py legacy (python.module = "x")
cpp_include "<vector>"
typedef list<i32> (cpp.template = "std::list") int_list
typedef string (unicode.encoding = "UTF-16") wide
struct Chosen { 1: Plain one = B, 2: Plain two = Kind.B, 3: Plain three = Plain.B }
const map<Plain, Plain> CHOICES = {Plain.A: elsewhere.B}
senum Kind { "a", "b"; "c" }
enum Plain { A, B (deprecated), C = -3 (x.y = "z",) } (final)
struct Tree xsd_all { 1: Tree & left; 2: optional Tree & right (lazy), 3: i32 weight = 0x1F xsd_optional xsd_nillable } (final)
struct Without { i32 a, string b; optional list<byte> c }
struct 	Commented { /* before */ 1: /* within */ i32 /* more */ a /* behind */, // trailing
  # hash
  2: slist b }
struct Empty {}
service Old { async void fire(1: i32 a), void old(i32 a, i32 b) /* c */ , set cpp_type "x" <i32> plain() } (deprecated = "yes")
const map<string,map<string,list<double>>> DEEP = {"a": {"b": [1.5, .5, 2e3, -7]}}
