using System.Diagnostics;
using Gradus.Cli.Console;
using Gradus.Files.Hub;

namespace Gradus.Cli.Verbs;

/// <summary>
/// Models by their names on the Hugging Face hub. The environment is read as huggingface_hub reads it: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT,
/// HF_TOKEN, HF_TOKEN_PATH, HF_HUB_OFFLINE. Source: https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables.
/// </summary>
internal static class HubModels
{
    /// <summary>What the environment says.</summary>
    /// <param name="offline">Use the cache only, whatever the environment says.</param>
    /// <exception cref="UsageException">A variable has a wrong value.</exception>
    public static HubOptions Options(bool offline = false)
    {
        string home = Variable("HF_HOME") ?? Path.Combine(
            Variable("XDG_CACHE_HOME") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"), "huggingface");
        Uri? endpoint = null;
        if (Variable("HF_ENDPOINT") is { } address && !Uri.TryCreate(address, UriKind.Absolute, out endpoint))
            throw new UsageException($"HF_ENDPOINT: {address} is no address; give one such as https://huggingface.co.");
        string tokenFile = Variable("HF_TOKEN_PATH") ?? Path.Combine(home, "token");
        string? token = Variable("HF_TOKEN") ?? (File.Exists(tokenFile) ? File.ReadAllText(tokenFile) : null);
        HubOptions options = new(
            Variable("HF_HUB_CACHE") ?? Path.Combine(home, "hub"),
            endpoint,
            token?.Trim() is { Length: > 0 } trimmed ? trimmed : null,
            offline || IsOn("HF_HUB_OFFLINE") || IsOn("TRANSFORMERS_OFFLINE"));
        try
        {
            options.Validate();
        }
        catch (ArgumentException e)
        {
            throw new UsageException(e.Message);
        }
        return options;
    }

    /// <summary>
    /// The folder of a model of the hub, fetched if the cache lacks it; null where a text is a path that is not there rather than a name:
    /// a name has an organisation that is no folder here.
    /// </summary>
    /// <exception cref="HubException">Fetching failed, or offline and not in the cache.</exception>
    public static string? Resolve(string text, CancellationToken cancel)
    {
        if (!text.Contains('/', StringComparison.Ordinal) || Directory.Exists(text[..text.IndexOf('/', StringComparison.Ordinal)]) || !HubModel.TryParse(text, out HubModel model))
            return null;
        using HubClient client = new(Options());
        if (client.Cache.FindSnapshot(model) is { } cached)
            return cached;
        System.Console.Error.WriteLine($"gradus: {model} is not in the cache {client.Cache.Folder}; fetching it.");
        ProgressLine progress = new(!System.Console.IsErrorRedirected);
        return client.PullAsync(model, null, progress, cancel).GetAwaiter().GetResult();
    }

    private static string? Variable(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    private static bool IsOn(string name) => Variable(name)?.ToUpperInvariant() is "1" or "TRUE" or "YES" or "ON";

    /// <summary>One line on standard error that counts the bytes, at most four times a second; nothing where nobody watches.</summary>
    internal sealed class ProgressLine(bool watched) : IProgress<HubProgress>
    {
        private readonly Stopwatch _clock = Stopwatch.StartNew();
        private readonly Lock _lock = new();
        private double _next;

        public void Report(HubProgress value)
        {
            if (!watched)
                return;
            lock (_lock)
            {
                bool whole = value.Bytes == value.Size;
                double now = _clock.Elapsed.TotalSeconds;
                if (now < _next && !whole)
                    return;
                _next = now + 0.25;
                string line = $"{Facts.Bytes(value.Bytes)} of {Facts.Bytes(value.Size)}, {Facts.Bytes((long)(value.Bytes / Math.Max(now, 0.1)))}/s, {Failures.OneLine(value.File)}";
                System.Console.Error.Write($"\r{line[..Math.Min(line.Length, 99)],-99}{(whole ? "\n" : "")}");
            }
        }
    }
}
