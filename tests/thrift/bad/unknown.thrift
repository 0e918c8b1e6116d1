struct User { 1: i32 uid }
struct Post { 1: Usr author, 2: strin title, 3: base.X x, 4: int count }
