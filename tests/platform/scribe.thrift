enum ResultCode { OK, TRY_LATER }
enum fb_status { DEAD = 0, STARTING = 1, ALIVE = 2, STOPPING = 3, STOPPED = 4, WARNING = 5 }

struct LogEntry {
  1: string category,
  2: string message
}

service FacebookService {
  string getName(),
  string getVersion(),
  fb_status getStatus(),
  string getStatusDetails(),
  map<string, i64> getCounters(),
  i64 getCounter(1: string key),
  void setOption(1: string key, 2: string value),
  map<string, string> getOptions(),
  i64 aliveSince(),
  oneway void reinitialize()
}

service scribe extends FacebookService {
  ResultCode Log(1: list<LogEntry> messages)
}
