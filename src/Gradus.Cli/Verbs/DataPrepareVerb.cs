using System.CommandLine;
using Gradus.Cli.Console;
using Gradus.Training.Data.Cleaning;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus data prepare</c>: a corpus through all steps, in FineWeb's order.</summary>
internal static class DataPrepareVerb
{
    private static readonly CleaningArguments Arguments = new();

    private static readonly Option<string[]> Rules = DataFilterVerb.RulesOption();

    private static readonly Option<string[]> Against = new("--against") { Description = "Files of evaluation sets; documents that hold parts of them are dropped.", HelpName = "FILE", AllowMultipleArgumentsPerToken = true };

    private static readonly Option<bool> KeepPersonal = new("--keep-addresses") { Description = "Keep e-mail addresses and public network addresses." };

    private static readonly Option<int> Seed = Numeric.Option("--seed", "Which hash functions.", 0, int.MaxValue, 1);

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("prepare", "Make a clean corpus: filter, drop equal and like documents and evaluation sets, replace addresses.") { Rules, Against, KeepPersonal, Seed };
        Arguments.AddTo(verb);
        verb.Examples = [("data prepare crawl -o corpus.jsonl.zst --against test.jsonl", "cleans all files of a folder")];
        verb.SetAction(parse => Arguments.Run(context, parse, Steps(context, parse)));
        return verb;
    }

    private static List<(string, Action<CorpusCleaning, string>)> Steps(CommandContext context, ParseResult parse)
    {
        int seed = parse.GetValue(Seed);
        List<(string, Action<CorpusCleaning, string>)> steps = [DataFilterVerb.Step(parse.GetValue(Rules)), DataDedupVerb.Step("exact", seed), DataDedupVerb.Step("minhash", seed)];
        if (parse.GetValue(Against) is { Length: > 0 } against)
            steps.Add(DataDecontaminateVerb.Step(context, against, 12, questions: false));
        if (!parse.GetValue(KeepPersonal))
            steps.Add(("addresses", (cleaning, output) => cleaning.Scrub(new PersonalData(), output)));
        return steps;
    }
}
