using System.Text;
using System.Text.RegularExpressions;
using Gradus.Generation.Structure;

namespace Gradus.Tests.Generation.Structure;

/// <summary>Which texts grammars of all sources allow.</summary>
public sealed class GrammarTests
{
    [Theory]
    [InlineData("root ::= \"a\" root \"b\" | \"\"", "ab aabb ", "a abb ba")]
    [InlineData("root ::= root \"+\" n | n\nn ::= [0-9]+", "1 1+2 12+3+45", "+ 1+ 1++2")]
    [InlineData("root ::= (\"x\" | \"y\")+ # what\n", "x xyx", "z")]
    [InlineData("root ::= \"(\" root* \")\"", "() (()()) ((()))", "( )( (()")]
    [InlineData("root ::= a? b{2,3}\na ::= \"a\" | a a\nb ::= \"b\"", "bb abb aabbb", "b abbbb a")]
    [InlineData("root ::= item (\",\" item)*\nitem ::= [^,\\x22]{1,3} | \"\\\"\" . \"\\\"\"", "a,bc \"x\",y", "abcd , a,")]
    [InlineData("root ::= e\ne ::= | \"x\" e e", " x xx", "y")]
    [InlineData("root ::= (\n  \"a\" |\n  \"b\"\n)\n", "a b", "ab")]
    public void GbnfAllowsWhatItSays(string grammar, string allowed, string others)
    {
        Grammar compiled = Grammar.FromGbnf(grammar);
        foreach (string text in allowed.Split(' '))
            Assert.True(compiled.Matches(Encoding.UTF8.GetBytes(text)), text);
        foreach (string text in others.Split(' '))
            Assert.False(compiled.Matches(Encoding.UTF8.GetBytes(text)), text);
    }

    [Theory]
    [InlineData("root ::= a", "line 1: there is no rule a")]
    [InlineData("x ::= \"a\"", "no rule root")]
    [InlineData("root ::= root", "allows no text")]
    [InlineData("root ::= \"a", "line 1: a text has no closing quote")]
    [InlineData("root ::= [z-a]", "backwards")]
    [InlineData("root ::= \"a\"\nroot ::= \"b\"", "line 2: the rule root is there twice")]
    [InlineData("root ::= <[5]>", "tokens by number")]
    [InlineData("root ::= \"a\"{3,2}", "from n up to m")]
    public void AWrongGrammarIsRefusedWithItsLine(string grammar, string message) =>
        Assert.Contains(message, Assert.Throws<StructureException>(() => Grammar.FromGbnf(grammar)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("(?!foo)[a-z]{3}", "bar fo", "foo ba")]
    [InlineData("a(?=b)[a-z]*", "ab abc", "ac a")]
    [InlineData("(?=.*\\d)(?=.*[a-z])[a-z0-9]{2,4}", "a1 1bc2", "ab 12 a1a1a")]
    [InlineData("\\u{1F600}|\\x41|\\p{Lu}é", "😀 A Éé", "a éé")]
    [InlineData("^ab$|^c$", "ab c", "abc")]
    [InlineData("[\\w.-]+@x\\.y", "a.b@x.y", "@x.y a@xzy")]
    public void RegularExpressionsMatchAsAWhole(string pattern, string allowed, string others)
    {
        Grammar compiled = Grammar.FromRegex(pattern);
        foreach (string text in allowed.Split(' '))
            Assert.Equal(text.Length >= 3 || !pattern.StartsWith("(?!", StringComparison.Ordinal), compiled.Matches(Encoding.UTF8.GetBytes(text)));
        foreach (string text in others.Split(' '))
            Assert.False(compiled.Matches(Encoding.UTF8.GetBytes(text)), text);
    }

    [Theory]
    [InlineData("(a)\\1", "back reference")]
    [InlineData("\\bword", "word boundary")]
    [InlineData("(?<=a)b", "look-behind")]
    [InlineData("(?i)a", "flags")]
    [InlineData("a**", "repeated")]
    [InlineData("[b-a]", "backwards")]
    [InlineData("(a", "has no )")]
    [InlineData("a$b", "in the middle")]
    [InlineData("(?=a)b", "no text matches")]
    public void APatternThatCannotBeEnforcedIsRefused(string pattern, string message) =>
        Assert.Contains(message, Assert.Throws<StructureException>(() => Grammar.FromRegex(pattern)).Message, StringComparison.Ordinal);

    [Fact]
    public void RandomPatternsMatchWhatDotnetSays()
    {
        Random random = new(3);
        for (int round = 0; round < 300; round++)
        {
            string pattern = Pattern(random, 3);
            Regex reference = new($"^(?:{pattern})$", RegexOptions.ECMAScript | RegexOptions.CultureInvariant, TimeSpan.FromSeconds(5));
            Grammar grammar;
            try
            {
                grammar = Grammar.FromRegex(pattern);
            }
            catch (StructureException e)
            {
                Assert.Matches("no text|is repeated", e.Message);
                continue;
            }
            Assert.Matches(reference, Encoding.UTF8.GetString(grammar.ShortestText()));
            for (int i = 0; i < 20; i++)
            {
                string text = string.Concat(Enumerable.Range(0, random.Next(7)).Select(_ => "abc01"[random.Next(5)]));
                Assert.True(reference.IsMatch(text) == grammar.Matches(Encoding.UTF8.GetBytes(text)), $"{pattern} on \"{text}\"");
            }
        }
    }

    [Fact]
    public void ChoicesAreTheGivenTexts()
    {
        Grammar grammar = Grammar.FromChoices(["yes", "no", "yesterday", "日本"]);
        foreach (string text in new[] { "yes", "no", "yesterday", "日本" })
            Assert.True(grammar.Matches(Encoding.UTF8.GetBytes(text)));
        foreach (string text in new[] { "", "y", "yesno", "日" })
            Assert.False(grammar.Matches(Encoding.UTF8.GetBytes(text)));
        Assert.Throws<StructureException>(() => Grammar.FromChoices([]));
    }

    [Theory]
    [InlineData("""{"type":"strin"}""", "#/type: \"strin\" is no type")]
    [InlineData("""{"properties":{"a":{"pattern":"(?<=x)y"}}}""", "#/properties/a/pattern")]
    [InlineData("""{"items":{"uniqueItems":true}}""", "#/items/uniqueItems")]
    [InlineData("""{"$ref":"#/$defs/x"}""", "#/$ref: there is nothing at")]
    [InlineData("""{"$ref":"https://example.com/s.json"}""", "is not here; give it with the schema")]
    [InlineData("""{"multipleOf":0}""", "#/multipleOf")]
    [InlineData("""{"minLength":-1}""", "#/minLength")]
    [InlineData("""{"type":"object","required":["a"],"properties":{"a":false}}""", "no value satisfies")]
    [InlineData("""{"$ref":"#/$defs/a","$defs":{"a":{"type":"object","required":["n"],"properties":{"n":{"$ref":"#/$defs/a"}}}}}""", "no value satisfies")]
    [InlineData("""{"type":""", "not JSON, line 1")]
    [InlineData("""{"allOf":3}""", "#/allOf: expected a list")]
    public void ASchemaThatCannotBeEnforcedIsRefusedWithItsPath(string schema, string message) =>
        Assert.Contains(message, Assert.Throws<StructureException>(() => Grammar.FromJsonSchema(Encoding.UTF8.GetBytes(schema))).Message, StringComparison.Ordinal);

    private static string Pattern(Random random, int depth)
    {
        return random.Next(depth == 0 ? 3 : 8) switch
        {
            0 => "abc01"[random.Next(5)].ToString(),
            1 => new[] { "[ab]", "[^a]", "\\d", ".", "[a-c]" }[random.Next(5)],
            2 => "a",
            3 => $"({Pattern(random, depth - 1)}|{Pattern(random, depth - 1)})",
            4 => $"(?:{Pattern(random, depth - 1)}){new[] { "*", "+", "?", "{1,2}", "{2}", "{1,}" }[random.Next(6)]}",
            5 => $"(?{(random.Next(2) == 0 ? "=" : "!")}{Pattern(random, depth - 1)}){Pattern(random, depth - 1)}",
            _ => Pattern(random, depth - 1) + Pattern(random, depth - 1),
        };
    }
}
