//! Hands one mail to a mail server (RFC 5321), by TLS where that offers it (3207), with a login where node.yaml has one (4954).

use std::io;
use std::sync::Arc;

use base64::Engine as _;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::backends::{Login, MailServer};

trait Both: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Both for T {}

type Stream = BufReader<Box<dyn Both>>;

/// `from` and `to` are plain addresses, `mail` the whole message.
pub async fn send(server: &MailServer, from: &str, to: &[String], mail: &str) -> io::Result<()> {
    let host = server.address.host.as_str();
    let tcp = TcpStream::connect((host, server.address.port)).await?;
    let is_local = tcp.peer_addr()?.ip().to_canonical().is_loopback();
    let mut stream: Stream = BufReader::new(Box::new(tcp));
    say(&mut stream, None, 220).await?;
    let name = from.rsplit('@').next().unwrap_or("localhost");
    let greeting = format!("EHLO {name}");
    let offers = say(&mut stream, Some(&greeting), 250).await?;
    let has_tls = offers.iter().any(|line| line.eq_ignore_ascii_case("STARTTLS"));
    if has_tls {
        say(&mut stream, Some("STARTTLS"), 220).await?;
        if !stream.buffer().is_empty() {
            return Err(io::Error::other("it goes on speaking where TLS was to begin"));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let secured = connector(is_local)?.connect(name, stream.into_inner()).await?;
        stream = BufReader::new(Box::new(secured));
        say(&mut stream, Some(&greeting), 250).await?;
    }
    if let Some(Login { user, passwd }) = &server.login {
        if !has_tls && !is_local {
            return Err(io::Error::other("it offers no TLS, and the password is not sent without"));
        }
        let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0{user}\0{passwd}"));
        say(&mut stream, Some(&format!("AUTH PLAIN {plain}")), 235).await?;
    }
    say(&mut stream, Some(&format!("MAIL FROM:<{from}>")), 250).await?;
    for one in to {
        say(&mut stream, Some(&format!("RCPT TO:<{one}>")), 250).await?;
    }
    say(&mut stream, Some("DATA"), 354).await?;
    let stuffed = mail.replace("\r\n.", "\r\n..");
    say(&mut stream, Some(&format!("{stuffed}\r\n.")), 250).await?;
    // The mail is with the server; how it says good-bye is its own business.
    let _ = say(&mut stream, Some("QUIT"), 221).await;
    Ok(())
}

/// The lines of the reply, without their numbers.
async fn say(stream: &mut Stream, line: Option<&str>, wanted: u16) -> io::Result<Vec<String>> {
    if let Some(line) = line {
        stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await?;
        stream.get_mut().flush().await?;
    }
    let mut lines = Vec::new();
    loop {
        let mut reply = String::new();
        if stream.read_line(&mut reply).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        lines.push(reply.get(4..).unwrap_or_default().trim().to_owned());
        // A hyphen behind the number: there is more of it.
        if reply.as_bytes().get(3) != Some(&b'-') {
            let is_good =
                reply.get(..3).and_then(|code| code.parse::<u16>().ok()).is_some_and(|code| code / 10 == wanted / 10);
            return if is_good { Ok(lines) } else { Err(io::Error::other(reply.trim().to_owned())) };
        }
    }
}

fn connector(is_local: bool) -> io::Result<TlsConnector> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let config = if is_local {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Beside(provider))).with_no_client_auth()
    } else {
        builder.with_platform_verifier().map_err(io::Error::other)?.with_no_client_auth()
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Of a server on this machine any certificate will do: nobody is between, and usually it made that one itself.
#[derive(Debug)]
struct Beside(Arc<CryptoProvider>);

impl ServerCertVerifier for Beside {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
