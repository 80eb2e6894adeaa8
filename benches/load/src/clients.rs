//! Clients of the driver's own, for scenarios that count calls instead of seconds.

use std::net::SocketAddr;
use std::thread;

use crate::Result;
use crate::http::{Client, Post};

const CLIENTS: usize = 4;

/// A few clients that call at the same time, each on its own connection.
pub(crate) struct Clients(Vec<Caller>);

struct Caller {
    client: Client,
    posts: Vec<Post>,
}

impl Clients {
    /// Connects them; `posts` says what a client sends, over and over.
    pub(crate) fn connect(
        server: SocketAddr,
        posts: impl Fn(&mut Client) -> Result<Vec<Post>>,
    ) -> Result<Self> {
        let connect = |_| {
            let mut client = Client::connect(server)?;
            let posts = posts(&mut client)?;
            Ok(Caller { client, posts })
        };
        Ok(Self((0..CLIENTS).map(connect).collect::<Result<_>>()?))
    }

    /// Shares out so many calls; one without a result is an error.
    pub(crate) fn call(&mut self, calls: usize) -> Result<()> {
        let share = calls / self.0.len();
        thread::scope(|scope| {
            let running: Vec<_> = self
                .0
                .iter_mut()
                .map(|caller| scope.spawn(move || caller.call(share)))
                .collect();
            for caller in running {
                caller.join().map_err(|_| "a client panicked")??;
            }
            Ok(())
        })
    }
}

impl Caller {
    fn call(&mut self, calls: usize) -> std::result::Result<(), String> {
        for post in self.posts.iter().cycle().take(calls) {
            let response = self.client.post(post).map_err(|error| error.to_string())?;
            if response.status != 200 || !response.body.contains("\"result\":") {
                return Err(format!("{} was not answered: {response:?}", post.body));
            }
        }
        Ok(())
    }
}
