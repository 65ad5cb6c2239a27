using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;

namespace Gradus.Cli.Configuration;

/// <summary>The descriptions in the XML documentation files that the compiler writes beside the assemblies; none where a file is absent.</summary>
/// <param name="folder">The folder of the assemblies.</param>
internal sealed partial class XmlDescriptions(string folder)
{
    private readonly Dictionary<Assembly, Dictionary<string, XElement>> _files = [];

    /// <summary>A type's summary.</summary>
    public string? Of(Type type) => Text(Member(type, $"T:{Id(type)}")?.Element("summary"));

    /// <summary>The <c>param</c> of a positional record, or the property's summary (the compiler writes a base record's <c>param</c> there too).</summary>
    public string? Of(ConfigurationProperty property)
    {
        Type record = property.Owner.Type, owner = property.Member?.DeclaringType ?? record;
        XElement? parameter = Member(record, $"T:{Id(record)}")?.Elements("param").FirstOrDefault(p => (string?)p.Attribute("name") == property.ParameterName);
        return Text(parameter) ?? Text(Member(owner, $"P:{Id(owner)}.{property.MemberName}")?.Element("summary"));
    }

    private static string Id(Type type) => type.FullName!.Replace('+', '.');

    private XElement? Member(Type type, string id)
    {
        if (!_files.TryGetValue(type.Assembly, out Dictionary<string, XElement>? members))
            _files.Add(type.Assembly, members = Read(Path.Combine(folder, $"{type.Assembly.GetName().Name}.xml")));
        return members.GetValueOrDefault(id);
    }

    private static Dictionary<string, XElement> Read(string file)
    {
        Dictionary<string, XElement> members = [];
        if (!File.Exists(file))
            return members;
        try
        {
            foreach (XElement member in XDocument.Load(file).Descendants("member"))
                members[(string?)member.Attribute("name") ?? ""] = member;
        }
        catch (XmlException)
        {
            // Descriptions are a convenience; some other file of that name is no reason to fail.
        }
        return members;
    }

    private static string? Text(XElement? element)
    {
        if (element is null)
            return null;
        string text = Spaces().Replace(string.Concat(element.Nodes().Select(Flat)), " ").Trim();
        return text.Length == 0 ? null : text;
    }

    private static string Flat(XNode node)
    {
        if (node is XText text)
            return text.Value;
        if (node is not XElement element)
            return "";
        if (element.Nodes().Any())
            return string.Concat(element.Nodes().Select(Flat));
        string name = (string?)element.Attribute("cref") ?? (string?)element.Attribute("langword") ?? (string?)element.Attribute("name") ?? "";
        int parameters = name.IndexOf('(', StringComparison.Ordinal);
        return (parameters < 0 ? name : name[..parameters]).Split('.', ':')[^1];
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
