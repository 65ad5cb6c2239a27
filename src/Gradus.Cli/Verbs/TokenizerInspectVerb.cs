using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Text;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus tokenizer inspect</c>.</summary>
internal static class TokenizerInspectVerb
{
    private const int MostSpecial = 40;

    private static readonly Argument<string> Source = TokenizerVerb.Argument();

    private static readonly Option<int> Longest = Numeric.Option("--longest", "How many of the longest tokens to show.", 0, 10_000, 12);

    private static readonly Option<bool> Json = new("--json") { Description = "Print everything as one JSON object." };

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Command verb = new("inspect", "Show what a tokenizer is made of: type, size, special tokens, steps, longest tokens.") { Source, Longest, Json };
        verb.SetAction(parse => Run(context, parse));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse)
    {
        JsonObject facts = Describe(TokenizerVerb.Open(parse.GetRequiredValue(Source)), parse.GetValue(Longest));
        if (parse.GetValue(Json))
            context.WriteJson(facts);
        else
            Print(context, facts);
        return ExitCode.Done;
    }

    /// <summary>What there is to know about a tokenizer.</summary>
    public static JsonObject Describe(Tokenizer tokenizer, int longest)
    {
        JsonObject file = AsFile(tokenizer);
        JsonObject special = [];
        foreach (AddedToken token in tokenizer.Parts.AddedTokens.Where(t => t.Special).OrderBy(t => t.Id))
            special[token.Content] = token.Id;
        return new JsonObject
        {
            ["type"] = Type(tokenizer, file),
            ["vocabulary_size"] = tokenizer.VocabularySize,
            ["merges"] = (tokenizer.Parts.Model as Bpe)?.MergeCount,
            ["added_tokens"] = tokenizer.Parts.AddedTokens.Count,
            ["special_tokens"] = special,
            ["roles"] = Roles(tokenizer),
            ["normalizer"] = Kinds(file["normalizer"], "normalizers"),
            ["pre_tokenizer"] = Kinds(file["pre_tokenizer"], "pretokenizers"),
            ["post_processor"] = Kinds(file["post_processor"], "processors"),
            ["decoder"] = Kinds(file["decoder"], "decoders"),
            ["chat_template"] = tokenizer.Parts.ChatTemplate is not null,
            ["longest_tokens"] = new JsonArray([.. LongestTokens(tokenizer, longest).Select(t => (JsonNode)t)]),
        };
    }

    private static void Print(CommandContext context, JsonObject facts)
    {
        Facts list = new(context);
        list.Add("type", facts["type"]!.GetValue<string>());
        list.Add("vocabulary", $"{facts["vocabulary_size"]!.GetValue<int>():N0} tokens, {facts["added_tokens"]!.GetValue<int>():N0} of them added");
        if (facts["merges"] is JsonValue merges)
            list.Add("merges", $"{merges.GetValue<int>():N0}");
        JsonObject special = facts["special_tokens"]!.AsObject();
        string more = special.Count > MostSpecial ? $" … ({special.Count:N0} in all)" : "";
        list.Add("special tokens", special.Count == 0 ? "none" : string.Join(" ", special.Take(MostSpecial).Select(t => $"{t.Key}={t.Value}")) + more);
        list.Add("roles", string.Join(" ", facts["roles"]!.AsObject().Select(r => $"{r.Key}={r.Value}")) is { Length: > 0 } roles ? roles : "none");
        foreach (string part in new[] { "normalizer", "pre_tokenizer", "post_processor", "decoder" })
            list.Add(part.Replace('_', '-'), facts[part]!.AsArray() is { Count: > 0 } kinds ? string.Join(" → ", kinds) : "none");
        list.Add("chat template", facts["chat_template"]!.GetValue<bool>() ? "yes" : "none");
        if (facts["longest_tokens"]!.AsArray() is { Count: > 0 } longest)
            list.Add("longest tokens", string.Join(" ", longest.Select(t => Facts.Quote(t!.GetValue<string>()))));
    }

    // tokenizer.json is the one complete description of the steps; what came from another format is described as it would be saved.
    private static JsonObject AsFile(Tokenizer tokenizer)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("gradus-");
        try
        {
            tokenizer.Save(folder.FullName);
            return Checkpoint.ReadObject(Path.Combine(folder.FullName, "tokenizer.json"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string Type(Tokenizer tokenizer, JsonObject file)
    {
        string type = (string?)file["model"]?["type"] ?? tokenizer.Parts.Model.GetType().Name;
        return tokenizer.Parts.Model switch
        {
            Bpe { Vocabulary.IsByteLevel: true } => $"byte-level {type}",
            Bpe { MergeCount: 0 } bpe when bpe.Vocabulary.MaxTokenLength <= 4 || file["model"]?["merges"] is JsonArray { Count: 0 } => $"{type} without merges: characters",
            _ => type,
        };
    }

    private static JsonArray Kinds(JsonNode? part, string listName) => part switch
    {
        JsonObject { Count: > 0 } o when o[listName] is JsonArray list => new JsonArray([.. list.Select(p => (JsonNode?)(string?)p?["type"])]),
        JsonObject o => new JsonArray((JsonNode?)(string?)o["type"]),
        _ => [],
    };

    private static JsonObject Roles(Tokenizer tokenizer)
    {
        JsonObject roles = [];
        foreach ((string name, int? id) in new (string, int?)[]
        {
            ("bos", tokenizer.BosId), ("eos", tokenizer.EosId), ("pad", tokenizer.PadId), ("unk", tokenizer.UnknownId),
            ("sep", tokenizer.SeparatorId), ("cls", tokenizer.ClassifierId), ("mask", tokenizer.MaskId),
        })
        {
            if (id is not null)
                roles[name] = id;
        }
        return roles;
    }

    private static IEnumerable<string> LongestTokens(Tokenizer tokenizer, int count)
    {
        Vocabulary vocabulary = tokenizer.Parts.Model.Vocabulary;
        return Enumerable.Range(0, vocabulary.Count)
            .Where(id => !tokenizer.IsSpecial(id))
            .OrderByDescending(id => vocabulary.GetBytes(id).Length)
            .ThenBy(id => id)
            .Take(count)
            .Select(id => Encoding.UTF8.GetString(vocabulary.GetBytes(id)));
    }
}
