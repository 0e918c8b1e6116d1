<h1>Not here</h1><p>{{why}}</p>
