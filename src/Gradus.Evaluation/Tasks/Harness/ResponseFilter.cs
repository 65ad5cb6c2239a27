// Purpose: what lm-evaluation-harness does with answers before they are scored, rule for rule.
// Source: https://github.com/EleutherAI/lm-evaluation-harness, lm_eval/filters, and the classes of its task files that TaskFunctions names.
// Left out, refused by name: filters that are Python functions not named there, decontamination.

using System.Globalization;
using System.Text.Json.Nodes;
using Gradus.Evaluation.Metrics;
using Gradus.Text;

namespace Gradus.Evaluation.Tasks.Harness;

/// <summary>One step of a filter: of a document's answers, or of what the step before made of them.</summary>
internal abstract class ResponseFilter
{
    /// <summary>What stands for a pattern that matches nothing, unless a task says otherwise.</summary>
    public const string NoMatch = "[invalid]";

    /// <summary>Applies the step.</summary>
    /// <param name="responses">A list of answers, or what is left of it.</param>
    /// <param name="document">The document that was asked about.</param>
    public abstract JsonNode? Apply(JsonNode? responses, JsonObject document);

    /// <summary>The step of an entry of <c>filter</c>: <c>function</c> and its arguments.</summary>
    /// <exception cref="InvalidDataException">The function or an argument is unknown; one line.</exception>
    public static ResponseFilter Create(JsonObject step, TaskFunctions functions)
    {
        FilterArguments arguments = new(step);
        ResponseFilter filter = arguments.Function(functions) switch
        {
            "regex" => new RegexFilter(arguments.Pattern(), arguments.Integer("group_select", 0), arguments.Text("fallback", NoMatch)),
            "multi_choice_regex" => MultiChoiceFilter.Create(arguments, MultiChoiceFilter.ChoicesField),
            TaskFunctions.BbhMultiChoice => MultiChoiceFilter.Create(arguments, MultiChoiceFilter.ChoicesInQuestion),
            TaskFunctions.BbhWordSort => new WordSortFilter(),
            "remove_whitespace" => new EachText(PythonText.Strip),
            "lowercase" => new EachText(PythonText.ToLower),
            "uppercase" => new EachText(text => PythonStrings.Upper(text)),
            "map" => new MapFilter(arguments.Object("mapping_dict"), arguments.Any("default_value")),
            "take_first" => new TakeFirst(),
            "take_first_k" => new TakeFirstK(arguments.Integer("k", null)),
            "majority_vote" => new MajorityVote(),
            "custom" => new FunctionFilter(functions.Filter(arguments.Any("filter_fn"))),
            string unknown => throw new InvalidDataException($"filter_list: the filter {unknown} is unknown; known are regex, multi_choice_regex, remove_whitespace, lowercase, uppercase, map, take_first, take_first_k, majority_vote."),
        };
        arguments.RefuseOthers();
        return filter;
    }

    private protected static JsonArray List(JsonNode? responses, string filter) => responses as JsonArray
        ?? throw new InvalidDataException($"filter_list: {filter} needs the list of answers, but the filters before it left one; put take_first last.");

    private protected static string TextOf(JsonNode? response) => response is JsonValue value && value.TryGetValue(out string? text) ? text : "";

    /// <summary>The match of a number, counted from the end where negative; of several groups the first that is not empty. Null where nothing matches.</summary>
    private protected static string? Select(PythonRegex pattern, string text, int group)
    {
        IReadOnlyList<string[]> found = pattern.FindAll(text);
        if (found.Count == 0)
            return null;
        int index = group < 0 ? found.Count + group : group;
        if ((uint)index >= (uint)found.Count)
            throw new InvalidDataException($"filter_list: group_select {group} is not among the {found.Count} matches of an answer.");
        string[] match = found[index];
        return match.Length == 1 ? match[0] : match.FirstOrDefault(m => m.Length > 0) ?? "";
    }

    private sealed class EachText(Func<string, string> change) : ResponseFilter
    {
        public override JsonNode? Apply(JsonNode? responses, JsonObject document) =>
            new JsonArray([.. List(responses, "this filter").Select(r => (JsonNode)change(TextOf(r)))]);
    }

    private sealed class TakeFirst : ResponseFilter
    {
        public override JsonNode? Apply(JsonNode? responses, JsonObject document) => List(responses, "take_first")[0]?.DeepClone();
    }

    private sealed class TakeFirstK(int k) : ResponseFilter
    {
        public override JsonNode? Apply(JsonNode? responses, JsonObject document)
        {
            JsonArray list = List(responses, "take_first_k");
            return list.Count >= k
                ? new JsonArray([.. list.Take(k).Select(r => r?.DeepClone())])
                : throw new InvalidDataException($"filter_list: take_first_k wants {k} answers of {list.Count}; raise repeats.");
        }
    }

    // The most frequent answer; of equally frequent ones the first.
    private sealed class MajorityVote : ResponseFilter
    {
        public override JsonNode? Apply(JsonNode? responses, JsonObject document)
        {
            IGrouping<string, JsonNode?> most = List(responses, "majority_vote").GroupBy(r => r?.ToJsonString() ?? "null").MaxBy(g => g.Count())!;
            return new JsonArray(most.First()?.DeepClone());
        }
    }

    private sealed class MapFilter(JsonObject mapping, JsonNode? missing) : ResponseFilter
    {
        public override JsonNode? Apply(JsonNode? responses, JsonObject document) => new JsonArray([.. List(responses, "map")
            .Select(r => (mapping.TryGetPropertyValue(TextOf(r), out JsonNode? value) ? value : missing)?.DeepClone())]);
    }

    private sealed class RegexFilter(PythonRegex pattern, int group, string fallback) : ResponseFilter
    {
        public override JsonNode? Apply(JsonNode? responses, JsonObject document) => new JsonArray([.. List(responses, "regex").Select(r => (JsonNode)Extract(TextOf(r)))]);

        private string Extract(string text)
        {
            IReadOnlyList<string[]> found = pattern.FindAll(text);
            if (found.Count == 0)
                return fallback;
            string match = Select(pattern, text, group)!;
            // Several groups of which none took part are no match; one empty group is.
            return PythonText.Strip(match.Length == 0 && found[0].Length > 1 ? fallback : match);
        }
    }

    // The words of the question's list, in the order in which the answer has them last.
    private sealed class WordSortFilter : ResponseFilter
    {
        public override JsonNode? Apply(JsonNode? responses, JsonObject document)
        {
            string[] parts = TextOf(document["input"]).Split("List:");
            if (parts.Length < 2)
                throw new InvalidDataException("filter_list: the question has no \"List:\".");
            PythonRegex words = new(string.Join('|', PythonText.Split(parts[1]).Select(w => $@"\b{w}\b")));
            return new JsonArray([.. List(responses, "WordSortFilter").Select(r => (JsonNode)string.Join(' ', words.FindAll(TextOf(r)).Select(m => m[0]).Reverse().Distinct().Reverse()))]);
        }
    }

    private sealed class FunctionFilter(Func<string, JsonObject, string> function) : ResponseFilter
    {
        public override JsonNode? Apply(JsonNode? responses, JsonObject document) =>
            new JsonArray([.. List(responses, "custom").Select(r => (JsonNode)function(TextOf(r), document))]);
    }
}

/// <summary>Finds the letter of the choice that an answer gives: by a pattern, else by the text of a choice, else by a letter after a colon.</summary>
internal sealed class MultiChoiceFilter : ResponseFilter
{
    private static readonly PythonRegex ChoicePattern = new(@"\([A-Z]\)([^\n^(]*)");
    private readonly PythonRegex _pattern;
    private readonly int _group;
    private readonly string _fallback;
    private readonly bool _ignoreCase;
    private readonly bool _ignorePunctuation;
    private readonly PythonRegex[] _ignore;
    private readonly Func<JsonObject, IEnumerable<string>> _choices;

    private MultiChoiceFilter(FilterArguments arguments, Func<JsonObject, IEnumerable<string>> choices)
    {
        _pattern = arguments.Pattern();
        _group = arguments.Integer("group_select", 0);
        _fallback = arguments.Text("fallback", NoMatch);
        _ignoreCase = arguments.Flag("ignore_case");
        _ignorePunctuation = arguments.Flag("ignore_punctuation");
        _ignore = [.. arguments.Texts("regexes_to_ignore").Select(p => new PythonRegex(p))];
        _choices = choices;
    }

    public static MultiChoiceFilter Create(FilterArguments arguments, Func<JsonObject, IEnumerable<string>> choices) => new(arguments, choices);

    /// <summary>The document's field <c>choices</c>.</summary>
    public static IEnumerable<string> ChoicesField(JsonObject document) => document["choices"] is JsonArray choices
        ? choices.Select(TextOf)
        : throw new InvalidDataException("filter_list: multi_choice_regex needs the field \"choices\", a list of texts.");

    /// <summary>What follows (A), (B) … in the question of a BIG-bench Hard record.</summary>
    public static IEnumerable<string> ChoicesInQuestion(JsonObject document) => ChoicePattern.FindAll(TextOf(document["input"])).Select(m => m[0]);

    public override JsonNode? Apply(JsonNode? responses, JsonObject document)
    {
        Dictionary<string, string> letters = new(StringComparer.Ordinal), bare = new(StringComparer.Ordinal);
        List<string> patterns = [];
        char letter = 'A';
        foreach (string choice in _choices(document))
        {
            string cleaned = Clean(PythonText.Strip(choice));
            patterns.Add(PythonRegex.Escape(cleaned));
            letters[cleaned] = bare[letter.ToString()] = $"({letter})";
            letter++;
        }
        PythonRegex byText = new(string.Join('|', patterns)), byLetter = new($@":[\s]*({string.Join('|', bare.Keys)})");
        return new JsonArray([.. List(responses, "multi_choice_regex").Select(r => (JsonNode)Letter(TextOf(r)))]);

        string Letter(string answer) =>
            Find(_pattern, answer, []) is { Length: > 0 } found ? found
            : Find(byText, Clean(answer), letters) is { Length: > 0 } named ? named
            : Find(byLetter, answer, bare) is { Length: > 0 } lettered ? lettered
            : _fallback;
    }

    private string Find(PythonRegex pattern, string text, Dictionary<string, string> meanings)
    {
        string match = PythonText.Strip(Select(pattern, text, _group) ?? "");
        return meanings.GetValueOrDefault(match, match);
    }

    private string Clean(string text)
    {
        foreach (PythonRegex pattern in _ignore)
            text = pattern.Replace(text, "");
        if (_ignoreCase)
            text = PythonText.ToLower(text);
        return _ignorePunctuation
            ? string.Concat(text.EnumerateRunes().Where(r => System.Text.Rune.GetUnicodeCategory(r) is < UnicodeCategory.ConnectorPunctuation or > UnicodeCategory.OtherPunctuation).Select(r => r.ToString()))
            : text;
    }
}
