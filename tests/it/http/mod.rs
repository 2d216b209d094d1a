//! Requests, answers, pages and TLS, to the letter of their standards.

mod addresses;
mod answers;
mod caches;
mod dashboard;
mod error_pages;
mod pages_need_no_key;
mod posters;
mod prefix;
mod proxy;
mod rfc6455;
mod rfc9112;
mod tls;
