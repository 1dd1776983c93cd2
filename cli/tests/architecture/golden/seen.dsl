workspace "Millrace" "Drawn from the declarations of the domains, from what runs at kafka:9092" {
    model {
        !impliedRelationships false
        caller_http = person "HTTP callers" "Browsers and programs that speak HTTP" "Caller"
        caller_producers = person "Producers" "Programs in any language that send commands and read outcomes" "Caller"
        caller_analysts = person "Analysts" "Whoever queries the tables" "Caller"
        gateway = softwareSystem "Gateway" "HTTP in front of topics and tables. 1 instance" "Gateway"
        other_25 = softwareSystem "group reports" "UNDECLARED. A consumer group that nobody has declared. 1 instance" "Stranger,Undeclared"
        other_26 = softwareSystem "group yesterday" "undeclared, gone. A consumer group that nobody has declared. nobody is there" "Stranger,Gone"
        context_people = softwareSystem "people" "Bounded context" "Context" {
            topic_people_commands = container "people.commands" "What was asked" "Kafka topic" "Topic"
            topic_people_events = container "people.events" "What happened, kept for ever" "Kafka topic" "Topic"
            topic_people_state = container "people.state" "The newest state of every aggregate" "Kafka topic" "Topic"
            topic_people_outcomes = container "people.outcomes" "What became of each command" "Kafka topic" "Topic"
            topic_people_commands_dead = container "people.commands.dead" "What could not be read or decided" "Kafka topic" "Topic"
            topic_people_user_lookup = container "people.user.lookup" "Which aggregates exist, for look-ups" "Kafka topic" "Topic"
            processor_people = container "processor" "Decides commands and steps, exactly once. 1 instance" "Rust, Kafka consumer group" "Processor"
            projector_people_users = container "projector users" "Fills the tables of a view family. 1 instance" "Rust, Kafka consumer group" "Projector"
            tables_people_users = container "users tables" "users" "ScyllaDB or SQLite" "Tables"
        }
        context_shop = softwareSystem "shop" "Bounded context, 1 of its parts SILENT" "Context,Silent" {
            topic_shop_commands = container "shop.commands" "What was asked. 10.0/s" "Kafka topic" "Topic"
            topic_shop_steps = container "shop.steps" "Follow-up commands of processes and policies" "Kafka topic" "Topic"
            topic_shop_events = container "shop.events" "What happened, kept for ever. 40.0/s" "Kafka topic" "Topic"
            topic_shop_state = container "shop.state" "The newest state of every aggregate" "Kafka topic" "Topic"
            topic_shop_outcomes = container "shop.outcomes" "What became of each command" "Kafka topic" "Topic"
            topic_shop_commands_dead = container "shop.commands.dead" "What could not be read or decided" "Kafka topic" "Topic"
            topic_shop_orders_changes = container "shop.orders.changes" "Changes of rows, for those who follow views" "Kafka topic" "Topic"
            processor_shop = container "processor" "Decides commands and steps, exactly once. 1 instance" "Rust, Kafka consumer group" "Processor"
            policy_shop_people = container "policy of people" "SILENT. Turns events of people into steps of shop, exactly once. events: UserRemoved, UserRenamed. nobody is there" "Rust, Kafka consumer group" "Policy,Silent"
            projector_shop_orders = container "projector orders" "Fills the tables of a view family. 2 instances" "Rust, Kafka consumer group" "Projector"
            tables_shop_orders = container "orders tables" "orders, orders_by_day" "ScyllaDB or SQLite" "Tables"
            other_24 = container "shop.notes" "UNDECLARED. The context declares no such topic" "Kafka topic" "Topic,Undeclared"
        }
        caller_http -> gateway "asks: commands, views, streams: 100/s" "" ""
        topic_people_commands -> processor_people "is read by: 0.0/s, 0 behind" "" ""
        processor_people -> topic_people_events "writes" "" ""
        processor_people -> topic_people_state "writes" "" ""
        processor_people -> topic_people_outcomes "writes" "" ""
        processor_people -> topic_people_commands_dead "writes" "" ""
        processor_people -> topic_people_user_lookup "writes" "" ""
        topic_people_events -> projector_people_users "is read by: 0.0/s, 0 behind" "" ""
        projector_people_users -> tables_people_users "fills" "" ""
        tables_people_users -> gateway "is queried by" "" ""
        tables_people_users -> caller_analysts "is queried by" "" ""
        gateway -> topic_people_commands "sends commands" "" ""
        topic_people_outcomes -> gateway "is followed by" "" ""
        caller_producers -> topic_people_commands "sends commands" "" ""
        topic_people_outcomes -> caller_producers "is followed by" "" ""
        topic_shop_commands -> processor_shop "is read by: 20.0/s, 0 behind" "" ""
        topic_shop_steps -> processor_shop "is read by" "" "Silent"
        processor_shop -> topic_shop_events "writes: 40.0/s" "" ""
        processor_shop -> topic_shop_state "writes" "" ""
        processor_shop -> topic_shop_outcomes "writes" "" ""
        processor_shop -> topic_shop_commands_dead "writes" "" ""
        processor_shop -> topic_shop_steps "writes" "" ""
        topic_people_user_lookup -> processor_shop "is looked up by: people.User" "" ""
        topic_people_events -> policy_shop_people "is read by: UserRemoved, UserRenamed" "" "Silent"
        policy_shop_people -> topic_shop_steps "writes" "" "Silent"
        topic_shop_events -> projector_shop_orders "is read by: 40.0/s, 0 behind" "" ""
        projector_shop_orders -> tables_shop_orders "fills" "" ""
        projector_shop_orders -> topic_shop_orders_changes "writes" "" ""
        topic_shop_orders_changes -> gateway "is followed by" "" ""
        tables_shop_orders -> gateway "is queried by" "" ""
        tables_shop_orders -> caller_analysts "is queried by" "" ""
        gateway -> topic_shop_commands "sends commands" "" ""
        topic_shop_outcomes -> gateway "is followed by" "" ""
        caller_producers -> topic_shop_commands "sends commands" "" ""
        topic_shop_outcomes -> caller_producers "is followed by" "" ""
        topic_shop_events -> other_25 "is read by: 40.0/s, 30 behind, 12 s" "" "Undeclared"
        topic_people_events -> other_26 "is read by: 0.0/s, 0 behind" "" "Gone"
        gateway -> context_people "sends commands, reads outcomes and views" "" ""
        caller_producers -> context_people "send commands" "" ""
        context_people -> caller_analysts "its tables are queried by" "" ""
        gateway -> context_shop "sends commands, reads outcomes and views" "" ""
        caller_producers -> context_shop "send commands" "" ""
        context_shop -> caller_analysts "its tables are queried by" "" ""
        context_people -> context_shop "looked up: people.User" "" ""
        context_people -> context_shop "policy: UserRemoved, UserRenamed" "" "Silent"
        context_shop -> other_25 "shop.events is read by" "" "Undeclared"
        context_people -> other_26 "people.events is read by" "" "Gone"
        deploymentEnvironment "As observed" {
            deploymentNode "10.0.0.7" "" "" "" 1 {
                containerInstance processor_people
                containerInstance projector_people_users
                containerInstance processor_shop
                containerInstance projector_shop_orders
                containerInstance projector_shop_orders
                softwareSystemInstance other_25
            }
            deploymentNode "127.0.0.1" "" "" "" 1 {
                softwareSystemInstance gateway
            }
        }
    }
    views {
        systemLandscape "contexts" "Bounded contexts, their callers and what they exchange" {
            include *
            autoLayout lr 300 100
        }
        container context_people "people" "Inside people" {
            include caller_producers caller_analysts gateway topic_people_commands topic_people_events topic_people_state topic_people_outcomes topic_people_commands_dead topic_people_user_lookup processor_people projector_people_users tables_people_users processor_shop policy_shop_people other_26
            autoLayout lr 300 100
        }
        container context_shop "shop" "Inside shop" {
            include caller_producers caller_analysts gateway topic_people_events topic_people_user_lookup topic_shop_commands topic_shop_steps topic_shop_events topic_shop_state topic_shop_outcomes topic_shop_commands_dead topic_shop_orders_changes processor_shop policy_shop_people projector_shop_orders tables_shop_orders other_24 other_25
            autoLayout lr 300 100
        }
        deployment * "As observed" "instances" "Which instances run where" {
            include *
            autoLayout lr 300 100
        }
        styles {
            element "Context" {
                background #dcfce7
                color #111827
            }
            element "Caller" {
                shape Person
                background #dbeafe
                color #111827
            }
            element "Gateway" {
                background #ede9fe
                color #111827
            }
            element "Topic" {
                shape Pipe
                background #f1f5f9
                color #111827
            }
            element "Tables" {
                shape Cylinder
                background #fef9c3
                color #111827
            }
            element "Processor" {
                background #bbf7d0
                color #111827
            }
            element "Policy" {
                background #bbf7d0
                color #111827
            }
            element "Projector" {
                background #bbf7d0
                color #111827
            }
            element "Stranger" {
                shape Hexagon
                color #111827
            }
            element "Service" {
                background #ffffff
                color #111827
            }
            element "Undeclared" {
                background #f59e0b
                color #111827
            }
            element "Silent" {
                background #9ca3af
                color #111827
                border dashed
            }
            relationship "Silent" {
                color #9ca3af
                style dotted
            }
            element "Gone" {
                background #9ca3af
                color #111827
                border dashed
            }
            relationship "Gone" {
                color #9ca3af
                style dotted
            }
            relationship "Undeclared" {
                color #f59e0b
                thickness 4
            }
        }
    }
}
