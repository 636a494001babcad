"""An echo over RabbitMQ, once per contestant: a server that sends each body back, and a client that calls it."""
