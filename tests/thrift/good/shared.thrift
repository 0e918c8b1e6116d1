struct Point { 1: i32 x, 2: i32 y }
service Base { string ping(1: string word) (dae.idempotent = "true") }
