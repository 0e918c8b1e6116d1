# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_dae_global_optspecs
    string join \n json C= color= q/quiet v/verbose h/help V/version
end

function __fish_dae_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_dae_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_dae_using_subcommand
    set -l cmd (__fish_dae_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c dae -n "__fish_dae_needs_command" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_needs_command" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_needs_command" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_needs_command" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_needs_command" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_needs_command" -s V -l version -d 'Print version'
complete -c dae -n "__fish_dae_needs_command" -f -a "create" -d 'Make a new app: app.yaml, app.py, pip-req.txt, a virtualenv and a first commit'
complete -c dae -n "__fish_dae_needs_command" -f -a "install" -d 'Install packages into the virtualenv and pin them into pip-req.txt; without any, make the virtualenv match the file'
complete -c dae -n "__fish_dae_needs_command" -f -a "uninstall" -d 'Take packages out of the virtualenv and pip-req.txt, with what only they needed'
complete -c dae -n "__fish_dae_needs_command" -f -a "sync" -d 'Make the virtualenv match pip-req.txt exactly'
complete -c dae -n "__fish_dae_needs_command" -f -a "freeze" -d 'Write what the virtualenv holds into pip-req.txt'
complete -c dae -n "__fish_dae_needs_command" -f -a "update" -d 'Move pins to the newest version there is, and what follows a branch to its newest commit'
complete -c dae -n "__fish_dae_needs_command" -f -a "outdated" -d 'List installed packages of which the package index has a newer version'
complete -c dae -n "__fish_dae_needs_command" -f -a "why" -d 'Tell for whose sake a package is there'
complete -c dae -n "__fish_dae_needs_command" -f -a "tree" -d 'Show who needs whom, from pip-req.txt\'s own requirements down'
complete -c dae -n "__fish_dae_needs_command" -f -a "venv" -d 'Run a command inside the app\'s virtualenv, made ready first; its exit code is the answer'
complete -c dae -n "__fish_dae_needs_command" -f -a "check" -d 'Check app.yaml and pip-req.txt, and tell every problem at once'
complete -c dae -n "__fish_dae_needs_command" -f -a "schema" -d 'Print the JSON Schema of app.yaml, by which editors complete and check it'
complete -c dae -n "__fish_dae_needs_command" -f -a "cron" -d 'What runs at set times'
complete -c dae -n "__fish_dae_needs_command" -f -a "queue" -d 'What waits, what is under way and what failed in the app\'s task queues'
complete -c dae -n "__fish_dae_needs_command" -f -a "db" -d 'Look into the app\'s own database'
complete -c dae -n "__fish_dae_needs_command" -f -a "permdir" -d 'Look into the folder for the app\'s permanent files'
complete -c dae -n "__fish_dae_needs_command" -f -a "state" -d 'Save, restore and throw away the data of all services together, permanent files included'
complete -c dae -n "__fish_dae_needs_command" -f -a "bdb" -d 'Look into the app\'s beansdb'
complete -c dae -n "__fish_dae_needs_command" -f -a "serve" -d 'Run the app here, with live reload'
complete -c dae -n "__fish_dae_needs_command" -f -a "service" -d 'Thrift services: what the app offers to other apps, and the client that they install'
complete -c dae -n "__fish_dae_needs_command" -f -a "status" -d 'Tell whether the app is being served, where, and by which processes'
complete -c dae -n "__fish_dae_needs_command" -f -a "stop" -d 'End the `dae serve` of this app, wherever it runs'
complete -c dae -n "__fish_dae_needs_command" -f -a "restart" -d 'Start the app that is being served anew, with a new Python; or one process beside it'
complete -c dae -n "__fish_dae_needs_command" -f -a "run" -d 'Run a command as the app\'s own processes run: in the virtualenv, with the platform\'s environment and services'
complete -c dae -n "__fish_dae_needs_command" -f -a "shell" -d 'Open a Python prompt with the app\'s code and the platform, IPython where the virtualenv has it'
complete -c dae -n "__fish_dae_needs_command" -f -a "test" -d 'Run the app\'s tests: pytest where the virtualenv has it, else Python\'s own unittest'
complete -c dae -n "__fish_dae_needs_command" -f -a "package" -d 'Build the app\'s image as an OCI layout'
complete -c dae -n "__fish_dae_needs_command" -f -a "plan" -d 'Show what `dae deploy` would send and change, and do nothing'
complete -c dae -n "__fish_dae_needs_command" -f -a "deploy" -d 'Package the app, upload what the remote misses, and switch to it'
complete -c dae -n "__fish_dae_needs_command" -f -a "releases" -d 'List the releases a remote keeps'
complete -c dae -n "__fish_dae_needs_command" -f -a "ps" -d 'List the app\'s processes on a remote'
complete -c dae -n "__fish_dae_needs_command" -f -a "rollback" -d 'Switch a remote back to an earlier release'
complete -c dae -n "__fish_dae_needs_command" -f -a "traffic" -d 'Show or change which visitors get the release that is tried'
complete -c dae -n "__fish_dae_needs_command" -f -a "logs" -d 'Show what the app\'s processes printed, and what they sent to Scribe'
complete -c dae -n "__fish_dae_needs_command" -f -a "mail" -d 'Mail the app has sent; under `dae serve` it is kept here and none leaves the machine'
complete -c dae -n "__fish_dae_needs_command" -f -a "errors" -d 'What went wrong in the app: uncaught exceptions, and all that is reported in Sentry\'s way'
complete -c dae -n "__fish_dae_needs_command" -f -a "mc" -d 'Look into the app\'s memcache'
complete -c dae -n "__fish_dae_needs_command" -f -a "config" -d 'Set what an app finds in its environment on a remote'
complete -c dae -n "__fish_dae_needs_command" -f -a "scale" -d 'Show or change how many of an app\'s processes run on a remote'
complete -c dae -n "__fish_dae_needs_command" -f -a "domains" -d 'Choose the hosts an app answers for on a remote'
complete -c dae -n "__fish_dae_needs_command" -f -a "maintenance" -d 'Close an app on a remote to its visitors, or open it again'
complete -c dae -n "__fish_dae_needs_command" -f -a "open" -d 'Open the app, where it runs on a remote, in a browser'
complete -c dae -n "__fish_dae_needs_command" -f -a "remote" -d 'Add, list and choose remotes'
complete -c dae -n "__fish_dae_needs_command" -f -a "node" -d 'Be a remote: run apps that are deployed to this machine'
complete -c dae -n "__fish_dae_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c dae -n "__fish_dae_needs_command" -f -a "man" -d 'Print a man page: dae\'s own, or that of one command'
complete -c dae -n "__fish_dae_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand create" -s t -l template -d 'What its code begins with [default: asked for, or blank]' -r -f -a "blank\t'A bare WSGI function: no package at all'
web.py\t''
flask\t''
django\t''
fastapi\t'ASGI'"
complete -c dae -n "__fish_dae_using_subcommand create" -l dir -d 'The folder to make [default: NAME]' -r -F
complete -c dae -n "__fish_dae_using_subcommand create" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand create" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand create" -l no-git -d 'Make no git repository'
complete -c dae -n "__fish_dae_using_subcommand create" -l no-venv -d 'Make no virtualenv; the packages are neither installed nor pinned'
complete -c dae -n "__fish_dae_using_subcommand create" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand create" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand create" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand create" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand install" -s e -l editable -d 'Install a folder or a repository so that its files can be changed; a repository\'s stand in venv/src' -r
complete -c dae -n "__fish_dae_using_subcommand install" -s r -l requirement -d 'Install what this file lists' -r -F
complete -c dae -n "__fish_dae_using_subcommand install" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand install" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand install" -l hashes -d 'Pin the digests of the files too'
complete -c dae -n "__fish_dae_using_subcommand install" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand install" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand install" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand install" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand uninstall" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand uninstall" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand uninstall" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand uninstall" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand uninstall" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand uninstall" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand sync" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand sync" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand sync" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand sync" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand sync" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand sync" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand freeze" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand freeze" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand freeze" -l check -d 'Write nothing: tell the difference, and exit with 1 when there is one'
complete -c dae -n "__fish_dae_using_subcommand freeze" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand freeze" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand freeze" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand freeze" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand update" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand update" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand update" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand update" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand update" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand update" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand outdated" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand outdated" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand outdated" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand outdated" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand outdated" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand outdated" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand why" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand why" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand why" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand why" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand why" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand why" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand tree" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand tree" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand tree" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand tree" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand tree" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand tree" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand venv" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand venv" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand venv" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand venv" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand venv" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand venv" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand check" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand check" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand check" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand check" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand check" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand check" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand schema" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand schema" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand schema" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand schema" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand schema" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand cron; and not __fish_seen_subcommand_from list run pause resume runs help" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and not __fish_seen_subcommand_from list run pause resume runs help" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and not __fish_seen_subcommand_from list run pause resume runs help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand cron; and not __fish_seen_subcommand_from list run pause resume runs help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand cron; and not __fish_seen_subcommand_from list run pause resume runs help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand cron; and not __fish_seen_subcommand_from list run pause resume runs help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand cron; and not __fish_seen_subcommand_from list run pause resume runs help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand cron; and not __fish_seen_subcommand_from list run pause resume runs help" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand cron; and not __fish_seen_subcommand_from list run pause resume runs help" -f -a "list" -d 'List the cron jobs of app.yaml and when each runs next'
complete -c dae -n "__fish_dae_using_subcommand cron; and not __fish_seen_subcommand_from list run pause resume runs help" -f -a "run" -d 'Run a job now, in the `dae serve` that runs or on the remote, and show what it printed; the exit code is its own'
complete -c dae -n "__fish_dae_using_subcommand cron; and not __fish_seen_subcommand_from list run pause resume runs help" -f -a "pause" -d 'Let a job not run by its schedule until `dae cron resume`'
complete -c dae -n "__fish_dae_using_subcommand cron; and not __fish_seen_subcommand_from list run pause resume runs help" -f -a "resume" -d 'Let a paused job run by its schedule again'
complete -c dae -n "__fish_dae_using_subcommand cron; and not __fish_seen_subcommand_from list run pause resume runs help" -f -a "runs" -d 'List the runs there were, newest first: when, how they ended and what they printed'
complete -c dae -n "__fish_dae_using_subcommand cron; and not __fish_seen_subcommand_from list run pause resume runs help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from list" -l at -d 'As if it were this time, as in `2026-03-08T00:00:00Z` [default: now]' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from list" -s n -l count -d 'How many runs of each' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from list" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from list" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from list" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from list" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from run" -l at -d 'As if it were this time, as in `2026-03-08T03:00:00Z` [default: now]' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from run" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from run" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from run" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from run" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from run" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from pause" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from pause" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from pause" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from pause" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from pause" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from pause" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from pause" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from pause" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from resume" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from resume" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from resume" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from resume" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from resume" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from resume" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from resume" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from resume" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from runs" -s n -l count -d 'How many' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from runs" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from runs" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from runs" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from runs" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from runs" -l output -d 'Show what each printed'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from runs" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from runs" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from runs" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from runs" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the cron jobs of app.yaml and when each runs next'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from help" -f -a "run" -d 'Run a job now, in the `dae serve` that runs or on the remote, and show what it printed; the exit code is its own'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from help" -f -a "pause" -d 'Let a job not run by its schedule until `dae cron resume`'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from help" -f -a "resume" -d 'Let a paused job run by its schedule again'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from help" -f -a "runs" -d 'List the runs there were, newest first: when, how they ended and what they printed'
complete -c dae -n "__fish_dae_using_subcommand cron; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -f -a "list" -d 'List the queues, and how many jobs are in each'
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -f -a "show" -d 'Show a job: its state, its task and arguments, and the traceback of one that failed'
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -f -a "run" -d 'Run the next task of a queue here and now, in the foreground; or a certain job'
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -f -a "retry" -d 'Put failed tasks back into their queue'
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -f -a "pause" -d 'Give no jobs of a queue out for a while'
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -f -a "drain" -d 'Wait until nothing of a queue waits or is under way any more'
complete -c dae -n "__fish_dae_using_subcommand queue; and not __fish_seen_subcommand_from list show run retry pause drain help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from list" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from list" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from list" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from list" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from show" -l queue -d 'The queue, where no number is given' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from show" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from show" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from show" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from show" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from show" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from run" -l job -d 'This job, whatever its state' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from run" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from run" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from run" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from run" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from run" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from run" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from run" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from retry" -l all -d 'All failed jobs of this queue' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from retry" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from retry" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from retry" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from retry" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from retry" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from retry" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from retry" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from retry" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from pause" -l seconds -d 'For how long; 0 ends a pause' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from pause" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from pause" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from pause" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from pause" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from pause" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from pause" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from pause" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from pause" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from drain" -l timeout -d 'Give up after so long' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from drain" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from drain" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from drain" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from drain" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from drain" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from drain" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from drain" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from drain" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the queues, and how many jobs are in each'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show a job: its state, its task and arguments, and the traceback of one that failed'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "run" -d 'Run the next task of a queue here and now, in the foreground; or a certain job'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "retry" -d 'Put failed tasks back into their queue'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "pause" -d 'Give no jobs of a queue out for a while'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "drain" -d 'Wait until nothing of a queue waits or is under way any more'
complete -c dae -n "__fish_dae_using_subcommand queue; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand db; and not __fish_seen_subcommand_from shell url dump load reset help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand db; and not __fish_seen_subcommand_from shell url dump load reset help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand db; and not __fish_seen_subcommand_from shell url dump load reset help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand db; and not __fish_seen_subcommand_from shell url dump load reset help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand db; and not __fish_seen_subcommand_from shell url dump load reset help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand db; and not __fish_seen_subcommand_from shell url dump load reset help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand db; and not __fish_seen_subcommand_from shell url dump load reset help" -f -a "shell" -d 'Open a prompt: mysql\'s own where there is one, else a simple one; or run the statements given'
complete -c dae -n "__fish_dae_using_subcommand db; and not __fish_seen_subcommand_from shell url dump load reset help" -f -a "url" -d 'Print the database\'s URL'
complete -c dae -n "__fish_dae_using_subcommand db; and not __fish_seen_subcommand_from shell url dump load reset help" -f -a "dump" -d 'Write the whole database as SQL'
complete -c dae -n "__fish_dae_using_subcommand db; and not __fish_seen_subcommand_from shell url dump load reset help" -f -a "load" -d 'Run a file of SQL'
complete -c dae -n "__fish_dae_using_subcommand db; and not __fish_seen_subcommand_from shell url dump load reset help" -f -a "reset" -d 'Delete everything in it and load databases/ again'
complete -c dae -n "__fish_dae_using_subcommand db; and not __fish_seen_subcommand_from shell url dump load reset help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from shell" -s e -l execute -d 'Statements to run instead, `;` between them' -r
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from shell" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from shell" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from shell" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from shell" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from shell" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from shell" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from url" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from url" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from url" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from url" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from url" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from url" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from dump" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from dump" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from dump" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from dump" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from dump" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from dump" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from load" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from load" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from load" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from load" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from load" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from load" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from reset" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from reset" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from reset" -s y -l yes -d 'Do not ask'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from reset" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from reset" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from reset" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "shell" -d 'Open a prompt: mysql\'s own where there is one, else a simple one; or run the statements given'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "url" -d 'Print the database\'s URL'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "dump" -d 'Write the whole database as SQL'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "load" -d 'Run a file of SQL'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "reset" -d 'Delete everything in it and load databases/ again'
complete -c dae -n "__fish_dae_using_subcommand db; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand permdir; and not __fish_seen_subcommand_from ls put get rm help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand permdir; and not __fish_seen_subcommand_from ls put get rm help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand permdir; and not __fish_seen_subcommand_from ls put get rm help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand permdir; and not __fish_seen_subcommand_from ls put get rm help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand permdir; and not __fish_seen_subcommand_from ls put get rm help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand permdir; and not __fish_seen_subcommand_from ls put get rm help" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand permdir; and not __fish_seen_subcommand_from ls put get rm help" -f -a "ls" -d 'List the files, or those of a folder'
complete -c dae -n "__fish_dae_using_subcommand permdir; and not __fish_seen_subcommand_from ls put get rm help" -f -a "put" -d 'Copy a file of yours into it'
complete -c dae -n "__fish_dae_using_subcommand permdir; and not __fish_seen_subcommand_from ls put get rm help" -f -a "get" -d 'Copy a file out of it'
complete -c dae -n "__fish_dae_using_subcommand permdir; and not __fish_seen_subcommand_from ls put get rm help" -f -a "rm" -d 'Delete a file'
complete -c dae -n "__fish_dae_using_subcommand permdir; and not __fish_seen_subcommand_from ls put get rm help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from ls" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from ls" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from ls" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from put" -l quota -d 'Refuse to let all files together grow beyond this many bytes' -r
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from put" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from put" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from put" -l again -d 'Replace a file that is there'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from put" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from put" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from put" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from put" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from get" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from get" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from get" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from get" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from get" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from rm" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from rm" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from rm" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from rm" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from help" -f -a "ls" -d 'List the files, or those of a folder'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from help" -f -a "put" -d 'Copy a file of yours into it'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from help" -f -a "get" -d 'Copy a file out of it'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from help" -f -a "rm" -d 'Delete a file'
complete -c dae -n "__fish_dae_using_subcommand permdir; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand state; and not __fish_seen_subcommand_from save restore list rm reset help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand state; and not __fish_seen_subcommand_from save restore list rm reset help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand state; and not __fish_seen_subcommand_from save restore list rm reset help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand state; and not __fish_seen_subcommand_from save restore list rm reset help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand state; and not __fish_seen_subcommand_from save restore list rm reset help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand state; and not __fish_seen_subcommand_from save restore list rm reset help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand state; and not __fish_seen_subcommand_from save restore list rm reset help" -f -a "save" -d 'Save everything under a name'
complete -c dae -n "__fish_dae_using_subcommand state; and not __fish_seen_subcommand_from save restore list rm reset help" -f -a "restore" -d 'Bring a saved state back; what is there now is gone'
complete -c dae -n "__fish_dae_using_subcommand state; and not __fish_seen_subcommand_from save restore list rm reset help" -f -a "list" -d 'List what is saved'
complete -c dae -n "__fish_dae_using_subcommand state; and not __fish_seen_subcommand_from save restore list rm reset help" -f -a "rm" -d 'Delete a saved state'
complete -c dae -n "__fish_dae_using_subcommand state; and not __fish_seen_subcommand_from save restore list rm reset help" -f -a "reset" -d 'Throw everything away and begin anew'
complete -c dae -n "__fish_dae_using_subcommand state; and not __fish_seen_subcommand_from save restore list rm reset help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from save" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from save" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from save" -l again -d 'Replace one of that name'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from save" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from save" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from save" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from save" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from restore" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from restore" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from restore" -s y -l yes -d 'Do not ask'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from restore" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from restore" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from restore" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from list" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from list" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from rm" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from rm" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from rm" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from rm" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from reset" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from reset" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from reset" -s y -l yes -d 'Do not ask'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from reset" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from reset" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from reset" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from help" -f -a "save" -d 'Save everything under a name'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Bring a saved state back; what is there now is gone'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from help" -f -a "list" -d 'List what is saved'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from help" -f -a "rm" -d 'Delete a saved state'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from help" -f -a "reset" -d 'Throw everything away and begin anew'
complete -c dae -n "__fish_dae_using_subcommand state; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand bdb; and not __fish_seen_subcommand_from get set versions ls help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand bdb; and not __fish_seen_subcommand_from get set versions ls help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand bdb; and not __fish_seen_subcommand_from get set versions ls help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand bdb; and not __fish_seen_subcommand_from get set versions ls help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand bdb; and not __fish_seen_subcommand_from get set versions ls help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand bdb; and not __fish_seen_subcommand_from get set versions ls help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand bdb; and not __fish_seen_subcommand_from get set versions ls help" -f -a "get" -d 'Show values; exit code 1 when one is not there'
complete -c dae -n "__fish_dae_using_subcommand bdb; and not __fish_seen_subcommand_from get set versions ls help" -f -a "set" -d 'Store a value, as a text or a whole number of Python\'s'
complete -c dae -n "__fish_dae_using_subcommand bdb; and not __fish_seen_subcommand_from get set versions ls help" -f -a "versions" -d 'Show which version keys are at, those that were deleted too'
complete -c dae -n "__fish_dae_using_subcommand bdb; and not __fish_seen_subcommand_from get set versions ls help" -f -a "ls" -d 'List keys, or a level of the hash tree'
complete -c dae -n "__fish_dae_using_subcommand bdb; and not __fish_seen_subcommand_from get set versions ls help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from get" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from get" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from get" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from get" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from get" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from set" -l version -d 'Only if it is above the one that is there [default: the next one]' -r
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from set" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from set" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from set" -l raw -d 'As bytes, not as a text or a number'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from set" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from set" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from versions" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from versions" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from versions" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from versions" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from versions" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from versions" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from ls" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from ls" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from ls" -l deleted -d 'Those that were deleted as well'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from ls" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from ls" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from help" -f -a "get" -d 'Show values; exit code 1 when one is not there'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from help" -f -a "set" -d 'Store a value, as a text or a whole number of Python\'s'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from help" -f -a "versions" -d 'Show which version keys are at, those that were deleted too'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from help" -f -a "ls" -d 'List keys, or a level of the hash tree'
complete -c dae -n "__fish_dae_using_subcommand bdb; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand serve" -s p -l port -d 'The port to answer on; without it 8080, or the next that is free' -r
complete -c dae -n "__fish_dae_using_subcommand serve" -l host -d 'The address to answer on; only this machine reaches the default one' -r
complete -c dae -n "__fish_dae_using_subcommand serve" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand serve" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand serve" -l cold -d 'Start a new Python for every reload, instead of forking one that has imported the packages'
complete -c dae -n "__fish_dae_using_subcommand serve" -l poll -d 'Look for changed files by the clock, where the system does not tell of them'
complete -c dae -n "__fish_dae_using_subcommand serve" -l verify-reload -d 'Start the app cold once more behind every warm reload, and tell what is not alike'
complete -c dae -n "__fish_dae_using_subcommand serve" -l detach -d 'Go on in the background; `dae stop` ends it'
complete -c dae -n "__fish_dae_using_subcommand serve" -l no-cron -d 'Run scheduled tasks only by hand: `dae cron run`'
complete -c dae -n "__fish_dae_using_subcommand serve" -l open -d 'Open the app in a browser'
complete -c dae -n "__fish_dae_using_subcommand serve" -l fresh -d 'Begin with no data at all, and throw away what comes; the app\'s own data is left alone'
complete -c dae -n "__fish_dae_using_subcommand serve" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand serve" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand serve" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand service; and not __fish_seen_subcommand_from list lint serve gen_client gen call help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand service; and not __fish_seen_subcommand_from list lint serve gen_client gen call help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand service; and not __fish_seen_subcommand_from list lint serve gen_client gen call help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand service; and not __fish_seen_subcommand_from list lint serve gen_client gen call help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand service; and not __fish_seen_subcommand_from list lint serve gen_client gen call help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand service; and not __fish_seen_subcommand_from list lint serve gen_client gen call help" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand service; and not __fish_seen_subcommand_from list lint serve gen_client gen call help" -f -a "list" -d 'List the services of app.yaml, their methods and where they answer'
complete -c dae -n "__fish_dae_using_subcommand service; and not __fish_seen_subcommand_from list lint serve gen_client gen call help" -f -a "lint" -d 'Check the .thrift files, and what of a change to them breaks clients of the last generated one'
complete -c dae -n "__fish_dae_using_subcommand service; and not __fish_seen_subcommand_from list lint serve gen_client gen call help" -f -a "serve" -d 'Run the services alone, without the web'
complete -c dae -n "__fish_dae_using_subcommand service; and not __fish_seen_subcommand_from list lint serve gen_client gen call help" -f -a "gen_client" -d 'Write the client package that other apps install'
complete -c dae -n "__fish_dae_using_subcommand service; and not __fish_seen_subcommand_from list lint serve gen_client gen call help" -f -a "gen" -d 'Write `service_gen`, the types that the app\'s own code imports; `dae serve` does it by itself'
complete -c dae -n "__fish_dae_using_subcommand service; and not __fish_seen_subcommand_from list lint serve gen_client gen call help" -f -a "call" -d 'Call a method, and print what comes back'
complete -c dae -n "__fish_dae_using_subcommand service; and not __fish_seen_subcommand_from list lint serve gen_client gen call help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from list" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from list" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from lint" -l client -d 'The client that callers have [default: the app\'s own `APP_client`]' -r -F
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from lint" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from lint" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from lint" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from lint" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from lint" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from lint" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from serve" -s p -l port -d 'The port of the service, where app.yaml names one [default: 7303, or the next free one]' -r
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from serve" -l host -d 'The address to answer on; only this machine reaches the default one' -r
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from serve" -l zookeeper -d 'List the service in this ZooKeeper: `host:2181`, several with commas between' -r
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from serve" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from serve" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from serve" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from serve" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from serve" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from serve" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from gen_client" -l out -d 'Where to [default: `APP_client` in the app\'s folder]' -r -F
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from gen_client" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from gen_client" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from gen_client" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from gen_client" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from gen_client" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from gen_client" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from gen" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from gen" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from gen" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from gen" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from gen" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from gen" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from call" -l at -d 'Where it answers [default: what is served on this machine]' -r
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from call" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from call" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from call" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from call" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from call" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from call" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the services of app.yaml, their methods and where they answer'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "lint" -d 'Check the .thrift files, and what of a change to them breaks clients of the last generated one'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "serve" -d 'Run the services alone, without the web'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "gen_client" -d 'Write the client package that other apps install'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "gen" -d 'Write `service_gen`, the types that the app\'s own code imports; `dae serve` does it by itself'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "call" -d 'Call a method, and print what comes back'
complete -c dae -n "__fish_dae_using_subcommand service; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand status" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand status" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand status" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand status" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand status" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand stop" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand stop" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand stop" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand stop" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand stop" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand stop" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand restart" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand restart" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand restart" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand restart" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand restart" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand restart" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand run" -l remote -d 'Run it at this remote' -r
complete -c dae -n "__fish_dae_using_subcommand run" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand run" -l release -d 'With this release\'s code [default: the live one\'s]' -r
complete -c dae -n "__fish_dae_using_subcommand run" -l attach -d 'Listen, from its beginning, to one that was started before' -r
complete -c dae -n "__fish_dae_using_subcommand run" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand run" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand run" -l detach -d 'Start it and do not listen'
complete -c dae -n "__fish_dae_using_subcommand run" -s i -l interactive -d 'Sit at it: this terminal becomes the command\'s, which ends with the connection; also written `-it`'
complete -c dae -n "__fish_dae_using_subcommand run" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand run" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand run" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand shell" -l remote -d 'Run it at this remote' -r
complete -c dae -n "__fish_dae_using_subcommand shell" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand shell" -l release -d 'With this release\'s code [default: the live one\'s]' -r
complete -c dae -n "__fish_dae_using_subcommand shell" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand shell" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand shell" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand shell" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand shell" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand shell" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand test" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand test" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand test" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand test" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand test" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand test" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand package" -s o -l output -d 'Where the layout goes [default: .dae/image in the app]' -r -F
complete -c dae -n "__fish_dae_using_subcommand package" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand package" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand package" -l list-files -d 'Only list the app\'s files that would be packed'
complete -c dae -n "__fish_dae_using_subcommand package" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand package" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand package" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand package" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand plan" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand plan" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand plan" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand plan" -l exit-code -d 'Tell by the exit code whether there is something to do'
complete -c dae -n "__fish_dae_using_subcommand plan" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand plan" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand plan" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand deploy" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand deploy" -s m -l message -d 'A line to remember the release by' -r
complete -c dae -n "__fish_dae_using_subcommand deploy" -l attach -d 'Follow a release that is under way already' -r
complete -c dae -n "__fish_dae_using_subcommand deploy" -l image -d 'Deploy an image that is there: `REMOTE/r42` of another remote, `REMOTE` for its live one, `sha256:...` here' -r
complete -c dae -n "__fish_dae_using_subcommand deploy" -l traffic -d 'Try it beside the live release on so many of a hundred visitors; see `dae traffic`' -r
complete -c dae -n "__fish_dae_using_subcommand deploy" -l traffic-header -d 'Try it on every request with this header' -r
complete -c dae -n "__fish_dae_using_subcommand deploy" -l traffic-from -d 'Try it on every request from this network, as `10.0.0.0/8`' -r
complete -c dae -n "__fish_dae_using_subcommand deploy" -l output -d 'Push the image, and print the objects instead of applying them' -r -f -a "yaml\t''"
complete -c dae -n "__fish_dae_using_subcommand deploy" -l within -d 'How long the pods may take to be ready' -r
complete -c dae -n "__fish_dae_using_subcommand deploy" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand deploy" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand deploy" -l list-files -d 'Only list the app\'s files that would be packed'
complete -c dae -n "__fish_dae_using_subcommand deploy" -l force -d 'Set what others have changed by hand, too'
complete -c dae -n "__fish_dae_using_subcommand deploy" -l plan -d 'Only show what would be sent and changed, as `dae plan` does'
complete -c dae -n "__fish_dae_using_subcommand deploy" -l require-clean -d 'Refuse when the app\'s folder holds changes that no commit does'
complete -c dae -n "__fish_dae_using_subcommand deploy" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand deploy" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand deploy" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand deploy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand releases" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand releases" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand releases" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand releases" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand releases" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand releases" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand releases" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand releases" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand ps" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand ps" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand ps" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand ps" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand ps" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand ps" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand ps" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand ps" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand rollback" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand rollback" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand rollback" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand rollback" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand rollback" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand rollback" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand rollback" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand rollback" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand traffic" -l header -d 'Every request with this header too' -r
complete -c dae -n "__fish_dae_using_subcommand traffic" -l from -d 'Every request from this network too, as `10.0.0.0/8`' -r
complete -c dae -n "__fish_dae_using_subcommand traffic" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand traffic" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand traffic" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand traffic" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand traffic" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand traffic" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand traffic" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand traffic" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand logs" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand logs" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand logs" -s n -l lines -d 'How many of the last lines' -r
complete -c dae -n "__fish_dae_using_subcommand logs" -l process -d 'Only of this process, as `web`, or category, as `scribe/app`' -r
complete -c dae -n "__fish_dae_using_subcommand logs" -l level -d 'Only this level and above: debug, info, warning, error, critical' -r
complete -c dae -n "__fish_dae_using_subcommand logs" -l since -d 'Only since then: `10m`, `2h`, `1d`, or a time as `2026-03-08T00:00:00Z`' -r
complete -c dae -n "__fish_dae_using_subcommand logs" -l grep -d 'Only lines that match this regular expression' -r
complete -c dae -n "__fish_dae_using_subcommand logs" -l release -d 'Only of this release\'s start' -r
complete -c dae -n "__fish_dae_using_subcommand logs" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand logs" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand logs" -s f -l follow -d 'Go on as they come'
complete -c dae -n "__fish_dae_using_subcommand logs" -l access -d 'Of the access log: a line for every answer its visitors got'
complete -c dae -n "__fish_dae_using_subcommand logs" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand logs" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand logs" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand logs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand mail; and not __fish_seen_subcommand_from list show open help" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand mail; and not __fish_seen_subcommand_from list show open help" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand mail; and not __fish_seen_subcommand_from list show open help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand mail; and not __fish_seen_subcommand_from list show open help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand mail; and not __fish_seen_subcommand_from list show open help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand mail; and not __fish_seen_subcommand_from list show open help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand mail; and not __fish_seen_subcommand_from list show open help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand mail; and not __fish_seen_subcommand_from list show open help" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand mail; and not __fish_seen_subcommand_from list show open help" -f -a "list" -d 'List what was sent, the newest last'
complete -c dae -n "__fish_dae_using_subcommand mail; and not __fish_seen_subcommand_from list show open help" -f -a "show" -d 'Show one message'
complete -c dae -n "__fish_dae_using_subcommand mail; and not __fish_seen_subcommand_from list show open help" -f -a "open" -d 'Open one message in a browser'
complete -c dae -n "__fish_dae_using_subcommand mail; and not __fish_seen_subcommand_from list show open help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from list" -s n -l lines -d 'How many of the last ones' -r
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from list" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from list" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from list" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from list" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from show" -l save -d 'Write its attachments into this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from show" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from show" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from show" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from show" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from show" -l raw -d 'As it was sent'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from show" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from open" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from open" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from open" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from open" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from open" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from open" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from open" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from open" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from help" -f -a "list" -d 'List what was sent, the newest last'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show one message'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from help" -f -a "open" -d 'Open one message in a browser'
complete -c dae -n "__fish_dae_using_subcommand mail; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand errors; and not __fish_seen_subcommand_from list show resolve help" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand errors; and not __fish_seen_subcommand_from list show resolve help" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand errors; and not __fish_seen_subcommand_from list show resolve help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand errors; and not __fish_seen_subcommand_from list show resolve help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand errors; and not __fish_seen_subcommand_from list show resolve help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand errors; and not __fish_seen_subcommand_from list show resolve help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand errors; and not __fish_seen_subcommand_from list show resolve help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand errors; and not __fish_seen_subcommand_from list show resolve help" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand errors; and not __fish_seen_subcommand_from list show resolve help" -f -a "list" -d 'List the errors that are not done with, the one seen last first'
complete -c dae -n "__fish_dae_using_subcommand errors; and not __fish_seen_subcommand_from list show resolve help" -f -a "show" -d 'Show one error: its traceback, how often it came and when'
complete -c dae -n "__fish_dae_using_subcommand errors; and not __fish_seen_subcommand_from list show resolve help" -f -a "resolve" -d 'Say that errors are done with; one that is seen again comes back'
complete -c dae -n "__fish_dae_using_subcommand errors; and not __fish_seen_subcommand_from list show resolve help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from list" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from list" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from list" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from list" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from list" -l all -d 'Those that are done with too'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from list" -l since-edit -d 'Only those seen since the app\'s code was last edited; on a remote, since the live release'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from show" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from show" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from show" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from show" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from show" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from resolve" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from resolve" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from resolve" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from resolve" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from resolve" -l all -d 'All there are'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from resolve" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from resolve" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from resolve" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from resolve" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the errors that are not done with, the one seen last first'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show one error: its traceback, how often it came and when'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from help" -f -a "resolve" -d 'Say that errors are done with; one that is seen again comes back'
complete -c dae -n "__fish_dae_using_subcommand errors; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand mc; and not __fish_seen_subcommand_from get set delete keys stats flush help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand mc; and not __fish_seen_subcommand_from get set delete keys stats flush help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand mc; and not __fish_seen_subcommand_from get set delete keys stats flush help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand mc; and not __fish_seen_subcommand_from get set delete keys stats flush help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand mc; and not __fish_seen_subcommand_from get set delete keys stats flush help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand mc; and not __fish_seen_subcommand_from get set delete keys stats flush help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand mc; and not __fish_seen_subcommand_from get set delete keys stats flush help" -f -a "get" -d 'Show a value; exit code 1 when there is none'
complete -c dae -n "__fish_dae_using_subcommand mc; and not __fish_seen_subcommand_from get set delete keys stats flush help" -f -a "set" -d 'Store a value, as a text or a whole number of Python\'s'
complete -c dae -n "__fish_dae_using_subcommand mc; and not __fish_seen_subcommand_from get set delete keys stats flush help" -f -a "delete" -d 'Let keys go'
complete -c dae -n "__fish_dae_using_subcommand mc; and not __fish_seen_subcommand_from get set delete keys stats flush help" -f -a "keys" -d 'List keys'
complete -c dae -n "__fish_dae_using_subcommand mc; and not __fish_seen_subcommand_from get set delete keys stats flush help" -f -a "stats" -d 'What each server counts'
complete -c dae -n "__fish_dae_using_subcommand mc; and not __fish_seen_subcommand_from get set delete keys stats flush help" -f -a "flush" -d 'Let everything go'
complete -c dae -n "__fish_dae_using_subcommand mc; and not __fish_seen_subcommand_from get set delete keys stats flush help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from get" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from get" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from get" -l raw -d 'As it is kept, byte for byte'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from get" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from get" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from get" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from set" -l ttl -d 'Seconds until it goes by itself [default: never]' -r
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from set" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from set" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from set" -l raw -d 'As bytes, not as a text or a number'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from set" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from set" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from delete" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from delete" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from delete" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from delete" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from delete" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from delete" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from keys" -s n -l count -d 'No more than so many' -r
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from keys" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from keys" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from keys" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from keys" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from keys" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from keys" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from stats" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from stats" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from stats" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from stats" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from stats" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from stats" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from flush" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from flush" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from flush" -l yes -d 'Even on a server that is not on this machine'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from flush" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from flush" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from flush" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from flush" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from help" -f -a "get" -d 'Show a value; exit code 1 when there is none'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from help" -f -a "set" -d 'Store a value, as a text or a whole number of Python\'s'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from help" -f -a "delete" -d 'Let keys go'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from help" -f -a "keys" -d 'List keys'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from help" -f -a "stats" -d 'What each server counts'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from help" -f -a "flush" -d 'Let everything go'
complete -c dae -n "__fish_dae_using_subcommand mc; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand config; and not __fish_seen_subcommand_from set unset list help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand config; and not __fish_seen_subcommand_from set unset list help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand config; and not __fish_seen_subcommand_from set unset list help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand config; and not __fish_seen_subcommand_from set unset list help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand config; and not __fish_seen_subcommand_from set unset list help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand config; and not __fish_seen_subcommand_from set unset list help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand config; and not __fish_seen_subcommand_from set unset list help" -f -a "set" -d 'Set variables'
complete -c dae -n "__fish_dae_using_subcommand config; and not __fish_seen_subcommand_from set unset list help" -f -a "unset" -d 'Take variables away'
complete -c dae -n "__fish_dae_using_subcommand config; and not __fish_seen_subcommand_from set unset list help" -f -a "list" -d 'List the variables that are set'
complete -c dae -n "__fish_dae_using_subcommand config; and not __fish_seen_subcommand_from set unset list help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from set" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from set" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from set" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from set" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from set" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from set" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from set" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from unset" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from unset" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from unset" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from unset" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from unset" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from unset" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from unset" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from unset" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from list" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from list" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from list" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from list" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from list" -l reveal -d 'Show the values too'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "set" -d 'Set variables'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "unset" -d 'Take variables away'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the variables that are set'
complete -c dae -n "__fish_dae_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand scale" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand scale" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand scale" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand scale" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand scale" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand scale" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand scale" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand scale" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand domains; and not __fish_seen_subcommand_from add rm list help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand domains; and not __fish_seen_subcommand_from add rm list help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand domains; and not __fish_seen_subcommand_from add rm list help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand domains; and not __fish_seen_subcommand_from add rm list help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand domains; and not __fish_seen_subcommand_from add rm list help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand domains; and not __fish_seen_subcommand_from add rm list help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand domains; and not __fish_seen_subcommand_from add rm list help" -f -a "add" -d 'Answer for a host'
complete -c dae -n "__fish_dae_using_subcommand domains; and not __fish_seen_subcommand_from add rm list help" -f -a "rm" -d 'Answer for a host no more'
complete -c dae -n "__fish_dae_using_subcommand domains; and not __fish_seen_subcommand_from add rm list help" -f -a "list" -d 'List the hosts'
complete -c dae -n "__fish_dae_using_subcommand domains; and not __fish_seen_subcommand_from add rm list help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from add" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from add" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from add" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from add" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from add" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from rm" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from rm" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from rm" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from rm" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from rm" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from rm" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from list" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from list" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from list" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from list" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from help" -f -a "add" -d 'Answer for a host'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from help" -f -a "rm" -d 'Answer for a host no more'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the hosts'
complete -c dae -n "__fish_dae_using_subcommand domains; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -f -a "on" -d 'Close it'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -f -a "off" -d 'Open it again'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and not __fish_seen_subcommand_from on off help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from on" -s m -l message -d 'What visitors are told, where the app has no page of its own' -r
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from on" -l retry-after -d 'When they should come again: `90s`, `20m`, `1h` [default: 5m]' -r
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from on" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from on" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from on" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from on" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from on" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from on" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from on" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from on" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from off" -l remote -d 'Of the app as it runs on this remote' -r
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from off" -l app -d 'Which app, on the remote [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from off" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from off" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from off" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from off" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from off" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from off" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "on" -d 'Close it'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "off" -d 'Open it again'
complete -c dae -n "__fish_dae_using_subcommand maintenance; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand open" -l remote -d 'The remote, by its name [default: the one chosen with `dae remote use`]' -r
complete -c dae -n "__fish_dae_using_subcommand open" -l app -d 'The app, by its name [default: the one in this folder]' -r
complete -c dae -n "__fish_dae_using_subcommand open" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand open" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand open" -l print -d 'Only print the address'
complete -c dae -n "__fish_dae_using_subcommand open" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand open" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand open" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand open" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand remote; and not __fish_seen_subcommand_from add init list use check rm help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand remote; and not __fish_seen_subcommand_from add init list use check rm help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand remote; and not __fish_seen_subcommand_from add init list use check rm help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand remote; and not __fish_seen_subcommand_from add init list use check rm help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand remote; and not __fish_seen_subcommand_from add init list use check rm help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand remote; and not __fish_seen_subcommand_from add init list use check rm help" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand remote; and not __fish_seen_subcommand_from add init list use check rm help" -f -a "add" -d 'Add a remote, or give one another address or token'
complete -c dae -n "__fish_dae_using_subcommand remote; and not __fish_seen_subcommand_from add init list use check rm help" -f -a "init" -d 'Make a machine that you reach by ssh a node, and add it as a remote'
complete -c dae -n "__fish_dae_using_subcommand remote; and not __fish_seen_subcommand_from add init list use check rm help" -f -a "list" -d 'List the remotes'
complete -c dae -n "__fish_dae_using_subcommand remote; and not __fish_seen_subcommand_from add init list use check rm help" -f -a "use" -d 'Choose where the app in this folder goes; outside of an app, where all go'
complete -c dae -n "__fish_dae_using_subcommand remote; and not __fish_seen_subcommand_from add init list use check rm help" -f -a "check" -d 'Say what a remote has, and what is missing for a deploy'
complete -c dae -n "__fish_dae_using_subcommand remote; and not __fish_seen_subcommand_from add init list use check rm help" -f -a "rm" -d 'Forget a remote and its token; what runs there goes on'
complete -c dae -n "__fish_dae_using_subcommand remote; and not __fish_seen_subcommand_from add init list use check rm help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l token -d 'Its token, or `-` to read it from stdin [default: DAE_TOKEN, or it is asked for]' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l context -d 'The context in the kubeconfig [default: the current one, or the pod\'s own account]' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l kubeconfig -d 'The kubeconfig [default: KUBECONFIG, or ~/.kube/config]' -r -F
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l namespace -d 'The namespace its apps live in' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l registry -d 'The repository for images, as `ghcr.io/acme/shop`; the nodes must be able to pull from it' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l base -d 'The image with Python below each app; `{python}` stands for the version [default: Docker Hub\'s python:{python}-slim]' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l domain -d 'Apps answer at NAME.DOMAIN [default: inside the cluster only]' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l gateway -d 'Requests from outside come by this Gateway, as `NAMESPACE/NAME` [default: the only one there is, else an Ingress]' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l ingress-class -d 'The class of the Ingress' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l storage-class -d 'The storage class for permanent files; it must let several nodes write' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l pull-secret -d 'A Secret by which the nodes pull images' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l service -d 'Where a service is, as `memcache=cache:11211` or `mysql=mysql://user@db:3306/shop`; again for others' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l no-check -d 'Add it without asking whether it answers'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l trial -d 'Run memcache, beansdb and the queue beside each app where no --service names them; for trials'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from init" -l name -d 'What to call the remote [default: the first part of the host\'s name]' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from init" -l domain -d 'Apps answer at NAME.DOMAIN [default: the host\'s name]' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from init" -l listen -d 'Where the node listens: `127.0.0.1:8000`, or `:8000` for every address' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from init" -l dir -d 'The node\'s folder there' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from init" -l program -d 'Where dae itself goes there' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from init" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from init" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from init" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from init" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from init" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from list" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from list" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from list" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from use" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from use" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from use" -l default -d 'For all apps without a choice of their own'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from use" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from use" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from use" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from use" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from check" -l deploy -d 'Try on this app, which must have no releases there, all that writes' -r
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from check" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from check" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from check" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from rm" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from rm" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from rm" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from rm" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from help" -f -a "add" -d 'Add a remote, or give one another address or token'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from help" -f -a "init" -d 'Make a machine that you reach by ssh a node, and add it as a remote'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the remotes'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from help" -f -a "use" -d 'Choose where the app in this folder goes; outside of an app, where all go'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from help" -f -a "check" -d 'Say what a remote has, and what is missing for a deploy'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from help" -f -a "rm" -d 'Forget a remote and its token; what runs there goes on'
complete -c dae -n "__fish_dae_using_subcommand remote; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand node; and not __fish_seen_subcommand_from init serve token render upgrade host services help" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand node; and not __fish_seen_subcommand_from init serve token render upgrade host services help" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand node; and not __fish_seen_subcommand_from init serve token render upgrade host services help" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand node; and not __fish_seen_subcommand_from init serve token render upgrade host services help" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand node; and not __fish_seen_subcommand_from init serve token render upgrade host services help" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand node; and not __fish_seen_subcommand_from init serve token render upgrade host services help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand node; and not __fish_seen_subcommand_from init serve token render upgrade host services help" -f -a "init" -d 'Make a node\'s folder and its first token'
complete -c dae -n "__fish_dae_using_subcommand node; and not __fish_seen_subcommand_from init serve token render upgrade host services help" -f -a "serve" -d 'Run the node: receive deploys, run the apps'
complete -c dae -n "__fish_dae_using_subcommand node; and not __fish_seen_subcommand_from init serve token render upgrade host services help" -f -a "token" -d 'Make another token; the node may be running'
complete -c dae -n "__fish_dae_using_subcommand node; and not __fish_seen_subcommand_from init serve token render upgrade host services help" -f -a "render" -d 'Print a configuration for a program beside the node: nginx, keepalived, systemd'
complete -c dae -n "__fish_dae_using_subcommand node; and not __fish_seen_subcommand_from init serve token render upgrade host services help" -f -a "upgrade" -d 'Have a newer dae run the node, while the apps run on'
complete -c dae -n "__fish_dae_using_subcommand node; and not __fish_seen_subcommand_from init serve token render upgrade host services help" -f -a "host"
complete -c dae -n "__fish_dae_using_subcommand node; and not __fish_seen_subcommand_from init serve token render upgrade host services help" -f -a "services" -d 'Serve some of an app\'s services to whoever can reach them'
complete -c dae -n "__fish_dae_using_subcommand node; and not __fish_seen_subcommand_from init serve token render upgrade host services help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from init" -l dir -d 'The node\'s folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from init" -l domain -d 'Apps answer at NAME.DOMAIN' -r
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from init" -l listen -d 'Where to listen: `127.0.0.1:8000`, or `:8000` for every address' -r
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from init" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from init" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from init" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from init" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from init" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from serve" -l dir -d 'The node\'s folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from serve" -l listen -d 'Listen here this time, whatever node.yaml says' -r
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from serve" -l keep-unused -d 'Delete what no release needs any more after this long: `90s`, `20m`, `1h`; longer than an upload takes' -r
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from serve" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from serve" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from serve" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from serve" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from serve" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from serve" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from token" -l dir -d 'The node\'s folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from token" -l app -d 'For one app only' -r
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from token" -l can -d 'What it allows: read, deploy, admin, or `*` for everything; each allows what stands before it' -r
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from token" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from token" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from token" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from token" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from token" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from token" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from render" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from render" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from render" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from render" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from render" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from render" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from render" -f -a "nginx" -d 'A web server in front of the node'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from render" -f -a "keepalived" -d 'An address shared by two machines: it is with one whose node answers'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from render" -f -a "systemd" -d 'A unit that runs the node, from the machine\'s start on'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from render" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from upgrade" -l dir -d 'The node\'s folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from upgrade" -l program -d 'The dae that is to run the node, where it is not this one' -r -F
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from upgrade" -l within -d 'How long to wait for what is under way: releases, runs, scheduled tasks' -r
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from upgrade" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from upgrade" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from upgrade" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from upgrade" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from upgrade" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from upgrade" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from host" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from host" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from host" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from host" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from host" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from host" -s h -l help -d 'Print help'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from services" -l app -d 'Whose services they are' -r
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from services" -l dir -d 'Where they keep what is to stay' -r -F
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from services" -l host -d 'The address to listen at' -r
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from services" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from services" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from services" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from services" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from services" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from services" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from help" -f -a "init" -d 'Make a node\'s folder and its first token'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from help" -f -a "serve" -d 'Run the node: receive deploys, run the apps'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from help" -f -a "token" -d 'Make another token; the node may be running'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from help" -f -a "render" -d 'Print a configuration for a program beside the node: nginx, keepalived, systemd'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from help" -f -a "upgrade" -d 'Have a newer dae run the node, while the apps run on'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from help" -f -a "host"
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from help" -f -a "services" -d 'Serve some of an app\'s services to whoever can reach them'
complete -c dae -n "__fish_dae_using_subcommand node; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand completions" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand completions" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand completions" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand completions" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand completions" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand man" -s C -d 'Act as if started in this folder' -r -F
complete -c dae -n "__fish_dae_using_subcommand man" -l color -d 'Colour the output [default: auto]' -r -f -a "auto\t''
always\t''
never\t''"
complete -c dae -n "__fish_dae_using_subcommand man" -l json -d 'Answer in JSON on stdout: events one a line, the answer or the problem last'
complete -c dae -n "__fish_dae_using_subcommand man" -s q -l quiet -d 'Say only what went wrong'
complete -c dae -n "__fish_dae_using_subcommand man" -s v -l verbose -d 'Say more'
complete -c dae -n "__fish_dae_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "create" -d 'Make a new app: app.yaml, app.py, pip-req.txt, a virtualenv and a first commit'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "install" -d 'Install packages into the virtualenv and pin them into pip-req.txt; without any, make the virtualenv match the file'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "uninstall" -d 'Take packages out of the virtualenv and pip-req.txt, with what only they needed'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "sync" -d 'Make the virtualenv match pip-req.txt exactly'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "freeze" -d 'Write what the virtualenv holds into pip-req.txt'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "update" -d 'Move pins to the newest version there is, and what follows a branch to its newest commit'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "outdated" -d 'List installed packages of which the package index has a newer version'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "why" -d 'Tell for whose sake a package is there'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "tree" -d 'Show who needs whom, from pip-req.txt\'s own requirements down'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "venv" -d 'Run a command inside the app\'s virtualenv, made ready first; its exit code is the answer'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "check" -d 'Check app.yaml and pip-req.txt, and tell every problem at once'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "schema" -d 'Print the JSON Schema of app.yaml, by which editors complete and check it'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "cron" -d 'What runs at set times'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "queue" -d 'What waits, what is under way and what failed in the app\'s task queues'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "db" -d 'Look into the app\'s own database'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "permdir" -d 'Look into the folder for the app\'s permanent files'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "state" -d 'Save, restore and throw away the data of all services together, permanent files included'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "bdb" -d 'Look into the app\'s beansdb'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "serve" -d 'Run the app here, with live reload'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "service" -d 'Thrift services: what the app offers to other apps, and the client that they install'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "status" -d 'Tell whether the app is being served, where, and by which processes'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "stop" -d 'End the `dae serve` of this app, wherever it runs'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "restart" -d 'Start the app that is being served anew, with a new Python; or one process beside it'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "run" -d 'Run a command as the app\'s own processes run: in the virtualenv, with the platform\'s environment and services'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "shell" -d 'Open a Python prompt with the app\'s code and the platform, IPython where the virtualenv has it'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "test" -d 'Run the app\'s tests: pytest where the virtualenv has it, else Python\'s own unittest'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "package" -d 'Build the app\'s image as an OCI layout'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "plan" -d 'Show what `dae deploy` would send and change, and do nothing'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "deploy" -d 'Package the app, upload what the remote misses, and switch to it'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "releases" -d 'List the releases a remote keeps'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "ps" -d 'List the app\'s processes on a remote'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "rollback" -d 'Switch a remote back to an earlier release'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "traffic" -d 'Show or change which visitors get the release that is tried'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "logs" -d 'Show what the app\'s processes printed, and what they sent to Scribe'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "mail" -d 'Mail the app has sent; under `dae serve` it is kept here and none leaves the machine'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "errors" -d 'What went wrong in the app: uncaught exceptions, and all that is reported in Sentry\'s way'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "mc" -d 'Look into the app\'s memcache'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "config" -d 'Set what an app finds in its environment on a remote'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "scale" -d 'Show or change how many of an app\'s processes run on a remote'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "domains" -d 'Choose the hosts an app answers for on a remote'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "maintenance" -d 'Close an app on a remote to its visitors, or open it again'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "open" -d 'Open the app, where it runs on a remote, in a browser'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "remote" -d 'Add, list and choose remotes'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "node" -d 'Be a remote: run apps that are deployed to this machine'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "completions" -d 'Print the completion script of a shell'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "man" -d 'Print a man page: dae\'s own, or that of one command'
complete -c dae -n "__fish_dae_using_subcommand help; and not __fish_seen_subcommand_from create install uninstall sync freeze update outdated why tree venv check schema cron queue db permdir state bdb serve service status stop restart run shell test package plan deploy releases ps rollback traffic logs mail errors mc config scale domains maintenance open remote node completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from cron" -f -a "list" -d 'List the cron jobs of app.yaml and when each runs next'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from cron" -f -a "run" -d 'Run a job now, in the `dae serve` that runs or on the remote, and show what it printed; the exit code is its own'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from cron" -f -a "pause" -d 'Let a job not run by its schedule until `dae cron resume`'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from cron" -f -a "resume" -d 'Let a paused job run by its schedule again'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from cron" -f -a "runs" -d 'List the runs there were, newest first: when, how they ended and what they printed'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "list" -d 'List the queues, and how many jobs are in each'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "show" -d 'Show a job: its state, its task and arguments, and the traceback of one that failed'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "run" -d 'Run the next task of a queue here and now, in the foreground; or a certain job'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "retry" -d 'Put failed tasks back into their queue'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "pause" -d 'Give no jobs of a queue out for a while'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from queue" -f -a "drain" -d 'Wait until nothing of a queue waits or is under way any more'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "shell" -d 'Open a prompt: mysql\'s own where there is one, else a simple one; or run the statements given'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "url" -d 'Print the database\'s URL'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "dump" -d 'Write the whole database as SQL'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "load" -d 'Run a file of SQL'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from db" -f -a "reset" -d 'Delete everything in it and load databases/ again'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from permdir" -f -a "ls" -d 'List the files, or those of a folder'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from permdir" -f -a "put" -d 'Copy a file of yours into it'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from permdir" -f -a "get" -d 'Copy a file out of it'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from permdir" -f -a "rm" -d 'Delete a file'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from state" -f -a "save" -d 'Save everything under a name'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from state" -f -a "restore" -d 'Bring a saved state back; what is there now is gone'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from state" -f -a "list" -d 'List what is saved'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from state" -f -a "rm" -d 'Delete a saved state'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from state" -f -a "reset" -d 'Throw everything away and begin anew'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from bdb" -f -a "get" -d 'Show values; exit code 1 when one is not there'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from bdb" -f -a "set" -d 'Store a value, as a text or a whole number of Python\'s'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from bdb" -f -a "versions" -d 'Show which version keys are at, those that were deleted too'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from bdb" -f -a "ls" -d 'List keys, or a level of the hash tree'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from service" -f -a "list" -d 'List the services of app.yaml, their methods and where they answer'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from service" -f -a "lint" -d 'Check the .thrift files, and what of a change to them breaks clients of the last generated one'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from service" -f -a "serve" -d 'Run the services alone, without the web'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from service" -f -a "gen_client" -d 'Write the client package that other apps install'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from service" -f -a "gen" -d 'Write `service_gen`, the types that the app\'s own code imports; `dae serve` does it by itself'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from service" -f -a "call" -d 'Call a method, and print what comes back'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from mail" -f -a "list" -d 'List what was sent, the newest last'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from mail" -f -a "show" -d 'Show one message'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from mail" -f -a "open" -d 'Open one message in a browser'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from errors" -f -a "list" -d 'List the errors that are not done with, the one seen last first'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from errors" -f -a "show" -d 'Show one error: its traceback, how often it came and when'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from errors" -f -a "resolve" -d 'Say that errors are done with; one that is seen again comes back'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from mc" -f -a "get" -d 'Show a value; exit code 1 when there is none'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from mc" -f -a "set" -d 'Store a value, as a text or a whole number of Python\'s'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from mc" -f -a "delete" -d 'Let keys go'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from mc" -f -a "keys" -d 'List keys'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from mc" -f -a "stats" -d 'What each server counts'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from mc" -f -a "flush" -d 'Let everything go'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "set" -d 'Set variables'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "unset" -d 'Take variables away'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "list" -d 'List the variables that are set'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from domains" -f -a "add" -d 'Answer for a host'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from domains" -f -a "rm" -d 'Answer for a host no more'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from domains" -f -a "list" -d 'List the hosts'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from maintenance" -f -a "on" -d 'Close it'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from maintenance" -f -a "off" -d 'Open it again'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from remote" -f -a "add" -d 'Add a remote, or give one another address or token'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from remote" -f -a "init" -d 'Make a machine that you reach by ssh a node, and add it as a remote'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from remote" -f -a "list" -d 'List the remotes'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from remote" -f -a "use" -d 'Choose where the app in this folder goes; outside of an app, where all go'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from remote" -f -a "check" -d 'Say what a remote has, and what is missing for a deploy'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from remote" -f -a "rm" -d 'Forget a remote and its token; what runs there goes on'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from node" -f -a "init" -d 'Make a node\'s folder and its first token'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from node" -f -a "serve" -d 'Run the node: receive deploys, run the apps'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from node" -f -a "token" -d 'Make another token; the node may be running'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from node" -f -a "render" -d 'Print a configuration for a program beside the node: nginx, keepalived, systemd'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from node" -f -a "upgrade" -d 'Have a newer dae run the node, while the apps run on'
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from node" -f -a "host"
complete -c dae -n "__fish_dae_using_subcommand help; and __fish_seen_subcommand_from node" -f -a "services" -d 'Serve some of an app\'s services to whoever can reach them'
