using System.CommandLine;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Gradus.Cli.Console;
using Gradus.Files.Hub;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus pull</c>: fetches a model from the Hugging Face hub into its cache.</summary>
internal static class PullVerb
{
    private static readonly Argument<string> Name = new("MODEL") { Description = "org/name, or org/name@revision: a branch, tag or commit." };

    private static readonly Option<string[]> Include = new("--include")
    {
        Description = "Fetch the files of these names only; * stands for any characters. Without it what the model needs is fetched.",
        HelpName = "PATTERN",
    };

    private static readonly Option<string[]> Exclude = new("--exclude") { Description = "Leave out the files of these names.", HelpName = "PATTERN" };

    private static readonly Option<bool> Offline = new("--offline") { Description = "Contact nobody; fails if the cache lacks the model." };

    private static readonly Option<bool> Json = new("--json") { Description = "Print where the model lies as one JSON object." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("pull", "Fetch a model from the Hugging Face hub into its cache.") { Name, Include, Exclude, Offline, Json };
        verb.Examples =
        [
            ("pull HuggingFaceTB/SmolLM2-135M", "fetches a model; other verbs take its name then"),
            ("pull org/model@v1.0 --include *.gguf", "fetches some files of a revision"),
        ];
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        string name = parse.GetRequiredValue(Name);
        if (!HubModel.TryParse(name, out HubModel model))
            throw new UsageException($"{name}: is not a model on the hub; give org/name or org/name@revision.");
        using HubClient client = new(HubModels.Options(parse.GetValue(Offline)));
        string[] include = parse.GetValue(Include) ?? [], exclude = parse.GetValue(Exclude) ?? [];
        string folder = client.PullAsync(
            model,
            names => Choose(names, include, exclude),
            new HubModels.ProgressLine(context.ErrorIsTerminal),
            context.Cancellation).GetAwaiter().GetResult();
        string[] files = [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(folder, f)).Order(StringComparer.Ordinal)];
        long bytes = files.Sum(f => new FileInfo(Path.Combine(folder, f)).ResolveLinkTarget(returnFinalTarget: true) is FileInfo target ? target.Length : new FileInfo(Path.Combine(folder, f)).Length);
        if (parse.GetValue(Json))
        {
            context.WriteJson(new JsonObject { ["model"] = model.ToString(), ["folder"] = folder, ["files"] = new JsonArray([.. files.Select(f => (JsonNode)f)]), ["bytes"] = bytes });
            return ExitCode.Done;
        }
        Facts facts = new(context);
        facts.Add("model", model.ToString());
        facts.Add("files", $"{files.Length}, {Facts.Bytes(bytes)}");
        facts.Add("folder", folder);
        return ExitCode.Done;
    }

    private static IEnumerable<string> Choose(IReadOnlyList<string> names, string[] include, string[] exclude) =>
        (include.Length == 0 ? HubSelection.Default(names) : names.Where(n => include.Any(p => Matches(p, n))))
        .Where(n => !exclude.Any(p => Matches(p, n)));

    // As Python's fnmatch, which huggingface_hub uses, for * and ?.
    private static bool Matches(string pattern, string name) => Regex.IsMatch(
        name,
        $"^{Regex.Escape(pattern).Replace(@"\*", ".*", StringComparison.Ordinal).Replace(@"\?", ".", StringComparison.Ordinal)}\\z",
        RegexOptions.Singleline | RegexOptions.NonBacktracking);
}
