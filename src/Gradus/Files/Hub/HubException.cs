#pragma warning disable RCS1194 // Without a message an error would not say what to do.
using System.Net;

namespace Gradus.Files.Hub;

/// <summary>Fetching from the hub failed; the message is one line that says what, from where, and what to do.</summary>
public sealed class HubException : IOException
{
    /// <summary>Makes an error, with what happened below.</summary>
    public HubException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>Makes an error from a server's answer.</summary>
    public HubException(string message, HttpStatusCode status)
        : base(message) => Status = status;

    /// <summary>The server's answer, or null where there was none.</summary>
    public HttpStatusCode? Status { get; }

    /// <summary>Whether trying again later may help.</summary>
    internal bool IsBusy { get; init; }

    /// <summary>How long the server asks to wait.</summary>
    internal TimeSpan? RetryAfter { get; init; }
}
