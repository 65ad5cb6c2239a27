using System.CommandLine;
using Gradus.Cli.Console;
using Gradus.Training.Data.Cleaning;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus data dedup</c>: keeps one of equal or like documents, or of repeated sentences.</summary>
internal static class DataDedupVerb
{
    private static readonly CleaningArguments Arguments = new();

    private static readonly Option<string> Method = new("--method")
    {
        Description = "exact: equal texts; minhash: texts that share four fifths of their n-grams; bloom: the same in one pass and fixed memory; sentence: spans of three sentences that were there before.",
        DefaultValueFactory = _ => "minhash",
    };

    private static readonly Option<int> Seed = Numeric.Option("--seed", "Which hash functions.", 0, int.MaxValue, 1);

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Method.AcceptOnlyFromAmong("exact", "minhash", "bloom", "sentence");
        Verb verb = new("dedup", "Keep one of equal or like documents of a corpus; the same on any number of threads.") { Method, Seed };
        Arguments.AddTo(verb);
        verb.Examples = [("data dedup clean.jsonl -o unique.jsonl", "keeps one of each cluster of documents that are alike"), ("data dedup chats.jsonl -o unique.jsonl --method exact", "keeps the first of equal records")];
        verb.SetAction(parse => Arguments.Run(context, parse, [Step(parse.GetValue(Method)!, parse.GetValue(Seed))]));
        return verb;
    }

    /// <summary>The step of a method.</summary>
    public static (string Name, Action<CorpusCleaning, string> Step) Step(string method, int seed) => method switch
    {
        "exact" => ("exact", (cleaning, output) => cleaning.DropEqual(output)),
        "bloom" => ("bloom", (cleaning, output) => cleaning.DropKnown(new BloomDeduplication(seed: (uint)seed), output)),
        "sentence" => ("sentence", (cleaning, output) => cleaning.DropSentences(new SentenceDeduplication(), output)),
        _ => ("minhash", (cleaning, output) => cleaning.DropAlike(new MinHash(seed: (uint)seed), output)),
    };
}
