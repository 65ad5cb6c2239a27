using System.CommandLine;
using Gradus.Cli.Console;
using Gradus.Text.Chat;
using Gradus.Training.Data;
using Gradus.Training.Data.Cleaning;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus data decontaminate</c>: drops documents that hold parts of evaluation sets.</summary>
internal static class DataDecontaminateVerb
{
    private static readonly CleaningArguments Arguments = new();

    private static readonly Option<string[]> Against = new("--against")
    {
        Description = "Files of an evaluation set: conversations of a question and its answer, or text.",
        HelpName = "FILE",
        Required = true,
        AllowMultipleArgumentsPerToken = true,
    };

    private static readonly Option<int> Words = Numeric.Option("--words", "Words of an n-gram.", 2, 100, 12);

    private static readonly Option<bool> Queries = new("--questions") { Description = "Look for parts of the questions as well." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("decontaminate", "Drop the documents of a corpus that hold parts of evaluation sets.") { Against, Words, Queries };
        Arguments.AddTo(verb);
        verb.Examples = [("data decontaminate clean.jsonl -o train.jsonl --against test.jsonl", "drops what shares twelve words with an answer of the test set")];
        verb.SetAction(parse => Arguments.Run(context, parse, [Step(context, parse.GetRequiredValue(Against), parse.GetValue(Words), parse.GetValue(Queries))]));
        return verb;
    }

    /// <summary>The step against files.</summary>
    public static (string Name, Action<CorpusCleaning, string> Step) Step(CommandContext context, string[] against, int words, bool questions)
    {
        Decontamination rule = new(words, questions);
        foreach (string file in CorpusDocuments.Files(new NamedData(context, fetch: false).Resolve(against)))
        {
            foreach (DataRecord record in TextFiles.Records(file))
            {
                if (!Conversations.IsConversation(record))
                {
                    rule.Add(Path.GetFileName(file), record.Text("text"), null);
                    continue;
                }
                IReadOnlyList<ChatMessage> messages = Conversations.Parse(record).Conversation.Messages;
                rule.Add(Path.GetFileName(file), messages[^1].Text ?? "", string.Join('\n', messages.SkipLast(1).Select(m => m.Text)));
            }
        }
        return ("decontaminate", (cleaning, output) => cleaning.Decontaminate(rule, output));
    }
}
