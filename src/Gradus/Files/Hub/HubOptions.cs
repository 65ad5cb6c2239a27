namespace Gradus.Files.Hub;

/// <summary>How models are fetched from the Hugging Face hub. Nothing here is read from the environment; the command line fills it.</summary>
/// <param name="CacheFolder">The hub's own cache, shared with other programs: usually <c>~/.cache/huggingface/hub</c> (HF_HUB_CACHE, HF_HOME).</param>
/// <param name="Endpoint">The hub's address (HF_ENDPOINT), or null for https://huggingface.co.</param>
/// <param name="Token">The user's token (HF_TOKEN), sent to <paramref name="Endpoint"/> only, or null.</param>
/// <param name="Offline">Whether only the cache is used (HF_HUB_OFFLINE).</param>
/// <param name="Connections">Parts or files fetched at once; 1 to 64.</param>
/// <param name="PartBytes">Bytes of one part; larger files are fetched in several at once; at least 1.</param>
/// <param name="Attempts">How often a request is tried before it fails; 1 to 100. Progress of a whole part starts the count anew.</param>
/// <param name="StallSeconds">How long a server may be silent before the request is tried again; above 0.</param>
public sealed record HubOptions(
    string CacheFolder,
    Uri? Endpoint = null,
    string? Token = null,
    bool Offline = false,
    int Connections = 8,
    int PartBytes = 64 << 20,
    int Attempts = 6,
    double StallSeconds = 60)
{
    /// <summary>The address of the public hub.</summary>
    public static Uri PublicEndpoint { get; } = new("https://huggingface.co");

    /// <summary>Checks the ranges.</summary>
    /// <exception cref="ArgumentException">A value is outside its range; the message says which and the range.</exception>
    public void Validate()
    {
        ArgumentException.ThrowIfNullOrEmpty(CacheFolder);
        if (Endpoint is { } given && (!given.IsAbsoluteUri || given.Scheme is not ("http" or "https")))
            throw new ArgumentException($"The hub's endpoint '{given}' is not an http or https address.");
        if (Connections is < 1 or > 64)
            throw new ArgumentException($"Connections is {Connections}; it lies between 1 and 64.");
        if (PartBytes < 1)
            throw new ArgumentException($"PartBytes is {PartBytes}; it is at least 1.");
        if (Attempts is < 1 or > 100)
            throw new ArgumentException($"Attempts is {Attempts}; it lies between 1 and 100.");
        if (!(StallSeconds is > 0 and <= 86400))
            throw new ArgumentException($"StallSeconds is {StallSeconds}; it lies between 0 and 86400.");
        if (Token is { } token && token.AsSpan().IndexOfAnyExceptInRange('!', '~') >= 0)
            throw new ArgumentException("The token (HF_TOKEN) has characters that no token has; set it again.");
    }
}
