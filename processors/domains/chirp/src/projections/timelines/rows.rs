//! The rows of the family, from what a partition knows.

use std::sync::Arc;

use millrace_kernel::{Delete, Known, Write};

use super::author::{Author, Chirp, Pushed};
use crate::messages::rows::{
    CelebrityChirpsRow, ChirpsByAuthorRow, ChirpsRow, FollowersByUserRow, FollowingByUserRow,
    HomeTimelinesRow,
};

/// An author's id and name: what every row of a chirp needs.
pub struct Of {
    pub author_id: Arc<str>,
    username: Arc<str>,
}

impl Of {
    /// Those of an author.
    pub fn author(known: &mut dyn Known, author: &Author) -> Self {
        Self { author_id: author.person.id(known), username: author.username().clone() }
    }

    pub fn chirp(&self, chirp: &Chirp, timestamp: i64) -> Write {
        ChirpsRow {
            author_id: self.author_id.clone(),
            chirp_id: chirp.chirp_id.clone(),
            username: self.username.clone(),
            content: chirp.content.clone(),
            posted_at: chirp.posted_at,
            edited_at: chirp.edited_at,
        }
        .put(timestamp)
    }

    pub fn by_author(&self, bucket: i64, chirp: &Chirp, timestamp: i64) -> Write {
        ChirpsByAuthorRow {
            author_id: self.author_id.clone(),
            bucket,
            posted_at: chirp.posted_at,
            chirp_id: chirp.chirp_id.clone(),
            username: self.username.clone(),
            content: chirp.content.clone(),
            edited_at: chirp.edited_at,
        }
        .put(timestamp)
    }

    pub fn celebrity(&self, chirp: &Chirp, timestamp: i64) -> Write {
        CelebrityChirpsRow {
            author_id: self.author_id.clone(),
            posted_at: chirp.posted_at,
            chirp_id: chirp.chirp_id.clone(),
            username: self.username.clone(),
            content: chirp.content.clone(),
            edited_at: chirp.edited_at,
        }
        .put(timestamp)
    }

    pub fn no_celebrity(&self, chirp: &Chirp, timestamp: i64) -> Write {
        CelebrityChirpsRow::delete(self.author_id.clone(), chirp.posted_at, chirp.chirp_id.clone(), timestamp)
    }

    /// Deletes what events before that of `at` have written of the author to `celebrity_chirps`; no two have one time.
    pub fn sweep(&self, at: i64) -> Write {
        let (table, key) = (CelebrityChirpsRow::TABLE, vec![self.author_id.clone().into()]);
        Write::Delete(Delete { table, key, range: true, timestamp: at - 1 })
    }

    pub fn home(&self, reader_id: Arc<str>, chirp: &Chirp, timestamp: i64) -> Write {
        HomeTimelinesRow {
            reader_id,
            posted_at: chirp.posted_at,
            chirp_id: chirp.chirp_id.clone(),
            author_id: self.author_id.clone(),
            username: self.username.clone(),
            content: chirp.content.clone(),
            edited_at: chirp.edited_at,
            deleted: None,
        }
        .put(timestamp)
    }

    /// In the place of a deleted chirp: a row costs whoever reads past it less than a deletion does, and trimming counts it.
    pub fn deleted(
        &self,
        reader_id: Arc<str>,
        posted_at: i64,
        chirp_id: Arc<str>,
        edited_at: Option<i64>,
        timestamp: i64,
    ) -> Write {
        HomeTimelinesRow {
            reader_id,
            posted_at,
            chirp_id,
            author_id: self.author_id.clone(),
            username: self.username.clone(),
            content: "".into(),
            edited_at,
            deleted: Some(true),
        }
        .put(timestamp)
    }

    pub fn no_home(&self, reader_id: Arc<str>, pushed: Pushed, timestamp: i64) -> Write {
        let Pushed { posted_at, chirp_id, .. } = pushed;
        HomeTimelinesRow::delete(reader_id, posted_at, chirp_id, self.author_id.clone(), timestamp)
    }

    pub fn following(&self, follower_id: Arc<str>, since: i64, pulled_until: i64, timestamp: i64) -> Write {
        FollowingByUserRow { follower_id, followee_id: self.author_id.clone(), since, pulled_until }
            .put(timestamp)
    }

    pub fn follower(&self, bucket: i64, follower_id: Arc<str>, since: i64, timestamp: i64) -> Write {
        FollowersByUserRow { followee_id: self.author_id.clone(), bucket, follower_id, since }.put(timestamp)
    }
}
