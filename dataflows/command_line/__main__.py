from dataflows.command_line import main

main()
